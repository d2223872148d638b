"""Writes loops."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from edgekit.lowering.tvm.adapter import Expr, tir
from edgekit.lowering.tvm.schedule.expr import Stmt, Var, index, number
from edgekit.lowering.tvm.schedule.stage import Axis, elements

PARALLEL_ELEMENTS = 1 << 14
"""Below this many scalar operations a nest stays on one thread: waking others costs more."""


def variable(name: str) -> Var:
    """Makes a loop variable."""
    return tir.Var(name, "int64")


def serial(var: Var, extent: Expr | int, body: Stmt, begin: Expr | int = 0) -> Stmt:
    """Writes a loop; one of a single turn too, so that the variable stays defined."""
    return tir.For(var, index(begin), index(extent), tir.ForKind.SERIAL, body)


def parallel(var: Var, extent: Expr | int, body: Stmt, begin: Expr | int = 0) -> Stmt:
    """Writes a loop whose turns run on all threads."""
    return tir.For(var, index(begin), index(extent), tir.ForKind.PARALLEL, body)


def unrolled(extent: int, body: Callable[[Expr], Stmt], name: str) -> Stmt:
    """Writes a loop that is spelled out."""
    if extent == 1:
        return body(index(0))
    var = variable(name)
    return tir.For(var, index(0), index(extent), tir.ForKind.UNROLLED, body(var))


def vectorized(lanes: int, body: Callable[[Expr], Stmt]) -> Stmt:
    """Writes a loop whose turns are the lanes of a vector."""
    if lanes == 1:
        return body(index(0))
    var = variable("lane")
    return tir.For(var, index(0), index(lanes), tir.ForKind.VECTORIZED, body(var))


def sequence(parts: Sequence[Stmt]) -> Stmt:
    """Writes statements one after the other."""
    return parts[0] if len(parts) == 1 else tir.SeqStmt(list(parts))


@dataclass(frozen=True)
class Loop:
    """A loop around a body that is still to be written."""

    var: Var
    extent: Expr | int
    begin: Expr | int = 0


def nested(loops: Sequence[Loop], body: Stmt, *, threads: bool) -> Stmt:
    """Writes loops around a body, outermost first; `threads` runs the first real one in parallel."""
    first = next((i for i, loop in enumerate(loops) if number(loop.extent) != 1), None)
    for i, loop in reversed(list(enumerate(loops))):
        write = parallel if threads and i == first else serial
        body = write(loop.var, loop.extent, body, loop.begin)
    return body


def worth_threads(axes: Sequence[Axis]) -> bool:
    """Tells whether the turns of axes are many enough to share; sizes of run time count as many."""
    count = elements(axes)
    return count is None or count >= PARALLEL_ELEMENTS


def tiles(extent: int, width: int) -> int:
    """Returns how many tiles of a width cover an extent."""
    return -(-extent // width)


def tile_start(tile: Expr, extent: int, width: int) -> Expr:
    """Returns where a tile begins; the last one overlaps its neighbour instead of passing the end.

    What the overlap computes twice is the same both times, since stages have no state, and since no buffer is
    computed in place of another (`compile.executable` keeps TVM from that).
    """
    return tile * width if extent % width == 0 else tir.min(tile * width, index(extent - width))
