"""Pad: amounts were named `paddings` in version 1, and become inputs in version 11."""

from __future__ import annotations

from edgekit.passes.edit import Maker, attribute
from edgekit.passes.upgrade.table import adapts, refuse


@adapts("Pad", to=2)
def rename(maker: Maker) -> None:
    """`paddings` becomes `pads`."""
    paddings = maker.node.attributes.pop("paddings", None)
    if paddings is None:
        raise refuse(maker.node, "`paddings` is missing")
    paddings.name = "pads"
    maker.node.attributes["pads"] = paddings


@adapts("Pad", to=11)
def pads_as_input(maker: Maker) -> None:
    """Amounts and fill value as inputs, the value in the dtype of the data."""
    node = maker.node
    if node.inputs[0] is None or node.inputs[0].dtype is None:
        raise refuse(node, "the dtype of its input is unknown")
    pads = maker.ints(attribute(node, "pads", ()), "pads")
    value = maker.const(attribute(node, "value", 0.0), node.inputs[0].dtype, "value")
    for name in ("pads", "value"):
        node.attributes.pop(name, None)
    node.resize_inputs(3)
    node.replace_input_with(1, pads)
    node.replace_input_with(2, value)
