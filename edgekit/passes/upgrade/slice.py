"""Slice: bounds become inputs in version 10."""

from __future__ import annotations

from edgekit.passes.edit import Maker, attribute
from edgekit.passes.upgrade.table import adapts


@adapts("Slice", to=10)
def bounds_as_inputs(maker: Maker) -> None:
    """The attributes become constants; without axes, the first ones are meant."""
    node = maker.node
    starts, ends = attribute(node, "starts", ()), attribute(node, "ends", ())
    axes = attribute(node, "axes") or range(len(starts))
    for name in ("starts", "ends", "axes"):
        node.attributes.pop(name, None)
    node.resize_inputs(4)
    for index, (data, hint) in enumerate(((starts, "starts"), (ends, "ends"), (list(axes), "axes")), 1):
        node.replace_input_with(index, maker.ints(data, hint))
