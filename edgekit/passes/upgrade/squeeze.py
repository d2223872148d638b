"""Squeeze and Unsqueeze: axes become an input in version 13."""

from __future__ import annotations

from edgekit.passes.edit import Maker, attribute
from edgekit.passes.upgrade.table import adapts


@adapts("Squeeze", "Unsqueeze", to=13)
def axes_as_input(maker: Maker) -> None:
    """The attribute becomes a constant; Squeeze without axes removes all of size 1."""
    axes = attribute(maker.node, "axes")
    maker.node.attributes.pop("axes", None)
    if axes is not None:
        maker.node.resize_inputs(2)
        maker.node.replace_input_with(1, maker.ints(axes, "axes"))
