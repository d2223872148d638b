"""How large a tile of a contraction is kept in registers."""

from __future__ import annotations

from dataclasses import dataclass

from edgekit.lowering.tvm.schedule.cpu import Cpu
from edgekit.lowering.tvm.schedule.nest import tiles

LATENCY = 4.0
"""Cycles until the result of a multiply-add can be added to."""
PORTS = 2
"""Multiply-adds, and reads, that a core starts per cycle."""
OVERHEAD = 0.5
"""Cycles per step for the loop itself."""
FIRST_CACHE, SECOND_CACHE = 1 << 14, 1 << 18
"""Bytes that stay in a cache beside the rest of the working set."""
FROM_SECOND, FROM_THIRD = 16.0, 8.0
"""Bytes per cycle that arrive from the second cache and from behind it."""


@dataclass(frozen=True)
class Tile:
    """rows x vectors x lanes accumulators."""

    rows: int
    vectors: int
    lanes: int

    @property
    def width(self) -> int:
        """Columns of the tile."""
        return self.vectors * self.lanes


@dataclass(frozen=True)
class Work:
    """What is to be tiled.

    Attributes:
        rows: Rows of the result; 1 if nothing can be the rows of a tile.
        columns: Columns of the result.
        steps: Products summed for each element.
        dtype: Type of the sums.
        shared: Whether the left factor is read by lanes too, as in a depthwise convolution.
    """

    rows: int
    columns: int
    steps: int
    dtype: str
    shared: bool


def candidates(work: Work, cpu: Cpu) -> list[Tile]:
    """Lists the tiles that fit the registers, the one with the fewest estimated cycles first."""
    lanes = min(cpu.lanes(work.dtype), work.columns)
    found = []
    for rows in range(1, min(work.rows, 16) + 1):
        for vectors in range(1, min(work.columns // lanes, 8) + 1):
            tile = Tile(rows, vectors, lanes)
            if rows * vectors + _spare(vectors, cpu) <= cpu.registers:
                found.append((_cycles(tile, work, cpu), -rows * vectors, rows, tile))
    return [tile for *_, tile in sorted(found, key=lambda f: f[:3])]


def _spare(vectors: int, cpu: Cpu) -> int:
    """Returns the registers that operands take; one column is unrolled along the sum, which takes more."""
    return 5 if vectors == 1 else vectors + (0 if cpu.folds_broadcast else 1)


def _cycles(tile: Tile, work: Work, cpu: Cpu) -> float:
    products = tile.rows * tile.vectors
    reads = products + tile.vectors if work.shared else tile.rows + tile.vectors
    stream = tile.vectors * cpu.vector_bits / 8
    panel = stream * work.steps
    arrival = 0.0 if panel <= FIRST_CACHE else stream / (FROM_SECOND if panel <= SECOND_CACHE else FROM_THIRD)
    step = max(products / PORTS, reads / PORTS, LATENCY, arrival) + OVERHEAD
    return step * tiles(work.rows, tile.rows) * tiles(work.columns, tile.width)
