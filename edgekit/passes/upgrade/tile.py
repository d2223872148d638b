"""Tile: version 1 repeats one axis, version 6 all."""

from __future__ import annotations

import numpy as np

from edgekit.passes.edit import Maker, rank_of, scalar
from edgekit.passes.upgrade.table import adapts, refuse


@adapts("Tile", to=6)
def repeats_of_all_axes(maker: Maker) -> None:
    """One repeat count for each axis."""
    node = maker.node
    rank, count, axis = rank_of(node.inputs[0]), scalar(node.inputs[1]), scalar(node.inputs[2])
    if rank is None or count is None or axis is None:
        raise refuse(node, "the rank, `tiles` or `axis` is not known")
    repeats = np.ones(rank, np.int64)
    repeats[int(axis)] = int(count)
    node.replace_input_with(1, maker.ints(repeats, "repeats"))
    node.resize_inputs(2)
