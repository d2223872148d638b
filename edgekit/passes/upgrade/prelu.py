"""PRelu: the slope of version 6 belongs to channels, that of version 7 follows numpy's broadcasting."""

from __future__ import annotations

from edgekit.passes.edit import Maker, rank_of, size_of
from edgekit.passes.upgrade.table import adapts, refuse


@adapts("PRelu", to=7)
def slope_of_channels(maker: Maker) -> None:
    """A slope for each channel gets trailing axes, so that it meets axis 1."""
    x, slope = maker.node.inputs
    rank = rank_of(x)
    if slope is None or size_of(slope) == 1 or rank_of(slope) != 1:
        return
    if rank is None:
        raise refuse(maker.node, "the rank of its input is unknown")
    if rank > 2:
        axes = list(range(1, rank - 1))
        maker.node.replace_input_with(1, maker.op("Unsqueeze", slope, axes=axes))
