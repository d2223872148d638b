"""How large a tile of a contraction is kept in registers."""

from __future__ import annotations

from dataclasses import dataclass

from edgekit.lowering.tvm.schedule.cpu import Cpu
from edgekit.lowering.tvm.schedule.nest import tiles

LATENCY = 4.0
"""Cycles until the result of a multiply-add can be added to."""
PORTS = 2
"""Multiply-adds, and reads, that a core starts per cycle."""


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


def candidates(rows: int | None, columns: int, cpu: Cpu, dtype: str, *, shared: bool) -> list[Tile]:
    """Lists the tiles that fit the registers, the one with the fewest estimated cycles first.

    Args:
        rows: Rows to cover, or None if known only at run time.
        columns: Columns to cover.
        cpu: The CPU.
        dtype: Type of the accumulators.
        shared: Whether the left factor is read by lanes too, as in a depthwise convolution.
    """
    lanes = min(cpu.lanes(dtype), columns)
    found = []
    for height in range(1, min(rows or 16, 16) + 1):
        for vectors in range(1, min(columns // lanes, 8) + 1):
            spare = 1 if cpu.folds_broadcast or vectors == 1 else vectors + 1
            if height * vectors + spare <= cpu.registers:
                tile = Tile(height, vectors, lanes)
                found.append((_cycles(tile, rows or 1024, columns, shared), -height * vectors, height, tile))
    return [tile for *_, tile in sorted(found, key=lambda f: f[:3])]


def _cycles(tile: Tile, rows: int, columns: int, shared: bool) -> float:
    work = tile.rows * tile.vectors
    reads = work + tile.vectors if shared else tile.rows + tile.vectors
    step = max(work / PORTS, reads / PORTS, LATENCY)
    return step * tiles(rows, tile.rows) * tiles(columns, tile.width)
