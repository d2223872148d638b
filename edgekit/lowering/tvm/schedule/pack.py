"""Operands copied into the order in which a tile reads them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.lowering.tvm.adapter import Expr
from edgekit.lowering.tvm.schedule.expr import linear, number
from edgekit.lowering.tvm.schedule.nest import tiles
from edgekit.lowering.tvm.schedule.stage import Axis, Declined


@dataclass(frozen=True)
class Pack:
    """packed[outer..., block, inner..., lane] = source[affine expressions of the axes].

    Attributes:
        outer: Sizes of the axes before the blocks of lanes.
        inner: Sizes of the axes after them.
        lanes: Size of the axis that is cut into blocks.
        width: Lanes in a block.
        terms: For each axis of the source a constant and the factors of the axes (outer, inner, lanes).
        paired: Whether two neighbours along the last inner axis lie together for each lane.
    """

    outer: tuple[int, ...]
    inner: tuple[int, ...]
    lanes: int
    width: int
    terms: tuple[tuple[int, tuple[int, ...]], ...]
    paired: bool = False

    @property
    def blocks(self) -> int:
        """Number of blocks; the last one overlaps its neighbour if the width does not divide the lanes."""
        return tiles(self.lanes, self.width)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the packed tensor."""
        if self.paired:
            return (*self.outer, self.blocks, *self.inner[:-1], self.inner[-1] // 2, 2 * self.width)
        return (*self.outer, self.blocks, *self.inner, self.width)

    def apply(self, source: NDArray[Any]) -> NDArray[Any]:
        """Packs a constant."""
        if self.paired:
            plain = replace(self, paired=False).apply(source)
            *around, count, width = plain.shape
            twos = plain.reshape(*around, count // 2, 2, width)
            return np.ascontiguousarray(twos.swapaxes(-1, -2)).reshape(self.shape)
        rank = len(self.shape)
        block_axis = len(self.outer)
        places = [i for i in range(rank - 1) if i != block_axis]
        values = [_along(np.arange(self.shape[i]), i, rank) for i in places]
        starts = np.minimum(np.arange(self.blocks) * self.width, self.lanes - self.width)
        values.append(_along(starts, block_axis, rank) + _along(np.arange(self.width), rank - 1, rank))
        indices = tuple(
            np.asarray(constant + sum(f * v for f, v in zip(parts, values, strict=True) if f))
            for constant, parts in self.terms
        )
        return np.ascontiguousarray(np.broadcast_to(source[indices], self.shape))


def _along(values: NDArray[Any], axis: int, rank: int) -> NDArray[Any]:
    return values.reshape([-1 if i == axis else 1 for i in range(rank)])


def plan(
    indices: Sequence[Expr], outer: Sequence[Axis], inner: Sequence[Axis], lanes: Axis, width: int
) -> Pack | Declined:
    """Plans the packing of an operand that is read at affine indices."""
    axes = [*outer, *inner, lanes]
    sizes = [a.size for a in axes]
    if any(s is None for s in sizes):
        return Declined("a size of the packed operand is known only at run time")
    terms = []
    for place in indices:
        parts = linear(place, [a.var for a in axes])
        values = None if parts is None else [number(p) for p in parts]
        if values is None or any(v is None for v in values):
            return Declined("an index of the packed operand is not affine")
        known = [v for v in values if v is not None]
        terms.append((known[-1], tuple(known[:-1])))
    count = len(outer)
    fixed = [s for s in sizes if s is not None]
    return Pack(tuple(fixed[:count]), tuple(fixed[count:-1]), fixed[-1], width, tuple(terms))
