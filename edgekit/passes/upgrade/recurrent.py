"""RNN, GRU and LSTM: which outputs exist is told by their names from version 7 on."""

from __future__ import annotations

from edgekit.passes.edit import Maker
from edgekit.passes.upgrade.table import adapts


@adapts("RNN", "GRU", "LSTM", to=7)
def drop_output_sequence(maker: Maker) -> None:
    """Drops the attribute that told whether the first output is wanted."""
    maker.node.attributes.pop("output_sequence", None)


@adapts("GRU", to=3)
def spelling(maker: Maker) -> None:
    """Version 1 misspelled its default direction."""
    direction = maker.node.attributes.get("direction")
    if direction is not None and direction.value == "foward":
        del maker.node.attributes["direction"]
