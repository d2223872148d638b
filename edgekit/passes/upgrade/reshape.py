"""Reshape: the shape becomes an input in version 5."""

from __future__ import annotations

from edgekit.passes.edit import Maker, attribute
from edgekit.passes.upgrade.table import adapts


@adapts("Reshape", to=5)
def shape_as_input(maker: Maker) -> None:
    """The attribute becomes a constant."""
    shape = maker.ints(attribute(maker.node, "shape", ()), "shape")
    for name in ("shape", "consumed_inputs"):
        maker.node.attributes.pop(name, None)
    maker.node.resize_inputs(2)
    maker.node.replace_input_with(1, shape)
