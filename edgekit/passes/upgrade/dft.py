"""DFT: the axis becomes an input in version 20, with another default."""

from __future__ import annotations

from edgekit.passes.edit import Maker, attribute
from edgekit.passes.upgrade.table import adapts


@adapts("DFT", to=20)
def axis_as_input(maker: Maker) -> None:
    """The default was 1."""
    node = maker.node
    axis = maker.const(attribute(node, "axis", 1), "int64", "axis")
    node.attributes.pop("axis", None)
    node.resize_inputs(3)
    node.replace_input_with(2, axis)
