"""GroupNormalization: scale and bias are given for each channel from version 21 on, not for each group."""

from __future__ import annotations

import onnx_ir as ir

from edgekit.passes.edit import Maker, attribute
from edgekit.passes.upgrade.table import adapts


@adapts("GroupNormalization", to=21)
def per_channel(maker: Maker) -> None:
    """Repeats each group's parameters for its channels."""
    node = maker.node
    channels = maker.op("Shape", node.inputs[0], start=1, end=2)
    each = maker.op("Div", channels, maker.ints([attribute(node, "num_groups")]))
    for index in (1, 2):
        node.replace_input_with(index, _repeated(maker, node.inputs[index], each))


def _repeated(maker: Maker, groups: ir.Value | None, each: ir.Value) -> ir.Value:
    column = maker.op("Unsqueeze", groups, maker.ints([1]))
    shape = maker.op("Concat", maker.ints([1]), each, axis=0)
    return maker.op("Reshape", maker.op("Expand", column, shape), maker.ints([-1]))
