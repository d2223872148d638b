"""Split: sizes become an input in version 13; equal parts state their number from version 18 on."""

from __future__ import annotations

import onnx_ir as ir

from edgekit.passes.edit import Maker, attribute, constant, operand
from edgekit.passes.upgrade.table import adapts, refuse


@adapts("Split", to=2)
def sizes_as_attribute(maker: Maker) -> None:
    """Version 1 took sizes as attribute or input."""
    node = maker.node
    if operand(node, 1) is not None:
        sizes = constant(node.inputs[1])
        if sizes is None:
            raise refuse(node, "the sizes are computed at run time")
        node.attributes["split"] = ir.AttrInt64s("split", [int(s) for s in sizes.reshape(-1)])
    node.resize_inputs(1)


@adapts("Split", to=13)
def sizes_as_input(maker: Maker) -> None:
    """The attribute becomes a constant."""
    sizes = attribute(maker.node, "split")
    maker.node.attributes.pop("split", None)
    if sizes:
        maker.node.resize_inputs(2)
        maker.node.replace_input_with(1, maker.ints(sizes, "split"))


@adapts("Split", to=18)
def number_of_parts(maker: Maker) -> None:
    """Without sizes, the number of outputs was meant."""
    if operand(maker.node, 1) is None:
        maker.node.attributes["num_outputs"] = ir.AttrInt64("num_outputs", len(maker.node.outputs))
