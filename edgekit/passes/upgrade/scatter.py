"""Scatter is called ScatterElements from version 11 on."""

from __future__ import annotations

from edgekit.passes.edit import Maker, attribute
from edgekit.passes.upgrade.table import adapts


@adapts("Scatter", to=11)
def rename(maker: Maker) -> None:
    """The same op by its new name."""
    node = maker.node
    maker.replace(maker.op("ScatterElements", *node.inputs, axis=attribute(node, "axis", 0)))
