"""Convolutions and products of matrices: a tile of the result stays in registers while it is summed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from edgekit.lowering.tvm.schedule import contraction as con
from edgekit.lowering.tvm.schedule import epilogue, pack, rows
from edgekit.lowering.tvm.schedule.expr import Ranges, free_vars, index, loads, map_loads, number, substitute
from edgekit.lowering.tvm.schedule.names import Expr, Stmt, Var, tir
from edgekit.lowering.tvm.schedule.nest import (
    PARALLEL_ELEMENTS,
    Loop,
    nested,
    sequence,
    serial,
    tile_start,
    tiles,
    unrolled,
    variable,
    vectorized,
)
from edgekit.lowering.tvm.schedule.rules.table import Scheduled, Task, rule
from edgekit.lowering.tvm.schedule.stage import Axis, Declined, elements
from edgekit.lowering.tvm.schedule.tile import Tile, Work, candidates

CACHED_BYTES = 1 << 18
"""Operands up to this size are read again and again from the second cache rather than from memory."""


@dataclass(frozen=True)
class Plan:
    """A contraction with the choices made for it.

    Attributes:
        row: The axis that the rows of a tile run over, or None.
        lane: The axis that its columns run over.
        packed: The buffer and the packing of the right factor, or None to read it where it is.
        tile: The tile.
        columns_first: Whether the blocks of columns are an outer loop.
    """

    sums: con.Contraction
    end: epilogue.Epilogue
    row: Axis | None
    lane: Axis
    packed: tuple[Var, pack.Pack] | None
    tile: Tile
    columns_first: bool


@rule("contraction", order=10)
def contraction(task: Task) -> Scheduled | Declined:
    """Tiles a sum of products whose right factor is a constant or has the lanes next to each other."""
    found = _analysed(task)
    if isinstance(found, Declined):
        return found
    sums, lane = found
    end = epilogue.of(task.program, task.position).moved(sums.origin)
    sums, end = rows.fused(task.program, sums, end)
    row = _row(sums, end)
    work = Work(
        1 if row is None else row.size or 1,
        lane.size or 1,
        elements(sums.sums) or 1,
        sums.stage.buffer.ty.dtype,
        not any(a is lane for a in sums.columns),
    )
    tile = candidates(work, task.cpu)[0]
    position = _constant(task, sums.right)
    packed = None
    if position is not None:
        planned = _packed(sums, lane, tile.width, task.program.params[position])
        if isinstance(planned, Declined):
            return planned
        packed = planned
    elif not _contiguous(sums.right, lane.var):
        return Declined("the lanes of the right factor are apart and it is not a constant")
    size = 1
    for a in (lane, *sums.sums):
        size *= a.size or 1
    plan = Plan(sums, end, row, lane, packed, tile, size * 4 > CACHED_BYTES)
    packs = {} if packed is None or position is None else {position: packed}
    return Scheduled(_loops(plan), 1 + end.stages, packs)


def _analysed(task: Task) -> tuple[con.Contraction, Axis] | Declined:
    """Chooses which factor gives the lanes: a constant before another, then the one whose lanes are stored."""
    pair = con.factors(task.stage)
    if isinstance(pair, Declined):
        return pair
    reasons: list[Declined] = []
    for left, right in sorted((pair, pair[::-1]), key=lambda p: _constant(task, p[1]) is None):
        sums = con.analyse(task.stage, left, right)
        if isinstance(sums, Declined):
            reasons.append(sums)
            continue
        lane = _lane(sums)
        if isinstance(lane, Declined):
            reasons.append(lane)
            continue
        if _constant(task, right) is None and not _contiguous(sums.right, lane.var):
            reasons.append(Declined("the lanes of the right factor are apart and it is not a constant"))
            continue
        return sums, lane
    return reasons[0]


def _constant(task: Task, factor: Expr) -> int | None:
    """Returns the position of the constant parameter that a factor reads."""
    reads = loads(factor)
    if len(reads) != 1:
        return None
    return next(
        (i for i, p in enumerate(task.program.params) if i in task.constants and p.same_as(reads[0].source)),
        None,
    )


def _lane(sums: con.Contraction) -> Axis | Declined:
    """Chooses the axis of the lanes: the last axis of the result if it can be, else the largest."""
    able = [a for a in sums.columns if a.size is not None]
    if not sums.columns:
        able = [a for a in sums.batch if a.size is not None and _contiguous(sums.left, a.var)]
    if not able:
        return Declined("no axis of the result has its elements side by side in the right factor")
    last = [i for i in sums.stage.indices if number(i) is None][-1]
    return max(able, key=lambda a: (a.var.same_as(last) or _ends(last, a.var), a.size or 0))


def _ends(place: Expr, var: Var) -> bool:
    return isinstance(place, tir.Add) and (place.b.same_as(var) or place.a.same_as(var))


def _contiguous(factor: Expr, var: Var) -> bool:
    """Tells whether steps of a variable are steps of one element in every read of a factor."""
    for load in loads(factor):
        places = [i for i, d in zip(load.indices, load.source.ty.shape, strict=True) if number(d) != 1]
        if not places or any(var.same_as(v) for p in places[:-1] for v in free_vars(p)):
            return False
        last = places[-1]
        if not (last.same_as(var) or _ends(last, var)):
            return False
    return True


def _row(sums: con.Contraction, end: epilogue.Epilogue) -> Axis | None:
    """Chooses the axis that rows of a tile run over: the innermost one of the result."""
    order = [v for i in sums.stage.indices for v in free_vars(i)]
    rows = [a for v in order for a in sums.rows if a.var.same_as(v)]
    if not sums.columns:
        rows = [a for v in order for a in sums.rows if a.var.same_as(v)]
    known = [a for a in rows if a.size is not None]
    return known[-1] if known else None


def _packed(sums: con.Contraction, lane: Axis, width: int, source: Var) -> tuple[Var, pack.Pack] | Declined:
    read = loads(sums.right)[0]
    used = free_vars(sums.right)
    outer = [a for a in (*sums.batch, *sums.columns) if a is not lane and any(a.var.same_as(v) for v in used)]
    planned = pack.plan(read.indices, outer, _sum_order(sums), lane, width)
    if isinstance(planned, Declined):
        return planned
    return tir.decl_buffer(list(map(index, planned.shape)), source.ty.dtype, f"{source.name}_packed"), planned


def _sum_order(sums: con.Contraction) -> tuple[Axis, ...]:
    """Orders the sums so that the left factor is read along its memory."""
    reads = loads(sums.left)
    order = [v for i in (reads[0].indices if reads else ()) for v in free_vars(i)]

    def place(axis: Axis) -> int:
        return max((i for i, v in enumerate(order) if v.same_as(axis.var)), default=-1)

    return tuple(sorted(sums.sums, key=place))


def _loops(plan: Plan) -> Stmt:
    sums, tile = plan.sums, plan.tile
    block = variable("block")
    inner_rows = plan.row
    start = variable("tile")
    outer = [a for a in sums.stage.spatial if a is not plan.lane and a is not inner_rows]
    loops = [Loop(a.var, a.extent) for a in outer]
    columns = Loop(block, tiles(plan.lane.size or 1, tile.width))
    rows = [] if inner_rows is None else [Loop(start, tiles(inner_rows.size or 1, tile.rows))]
    ahead = [l for l, a in zip(loops, outer, strict=True) if a in sums.batch]
    other = [l for l, a in zip(loops, outer, strict=True) if a not in sums.batch]
    order = [*ahead, columns, *other, *rows] if plan.columns_first else [*ahead, *other, *rows, columns]
    work = 1
    for a in sums.stage.axes:
        work *= a.size or 64
    return nested(order, _tile(plan, start, block), threads=work >= PARALLEL_ELEMENTS)


def _tile(plan: Plan, start: Var, block: Var) -> Stmt:
    sums, tile, end = plan.sums, plan.tile, plan.end
    dtype = sums.stage.buffer.ty.dtype
    acc = tir.decl_buffer(
        [index(tile.rows), index(tile.vectors), index(tile.lanes)], dtype, "acc", scope="local"
    )

    def each(write) -> Stmt:  # type: ignore[no-untyped-def]
        return unrolled(
            tile.rows,
            lambda r: unrolled(
                tile.vectors, lambda v: vectorized(tile.lanes, lambda l: write([r, v, l])), "vector"
            ),
            "row",
        )

    def places(at: list[Expr]) -> Mapping[Var, Expr]:
        r, v, l = at
        found = {plan.lane.var: tile_start(block, plan.lane.size or 1, tile.width) + v * tile.lanes + l}
        if plan.row is not None:
            found[plan.row.var] = tile_start(start, plan.row.size or 1, tile.rows) + r
        return found

    def right(at: list[Expr]) -> Expr:
        if plan.packed is None:
            return substitute(sums.right, places(at))
        buffer, packing = plan.packed
        used = free_vars(sums.right)
        outer = [
            a.var
            for a in (*sums.batch, *sums.columns)
            if a is not plan.lane and any(a.var.same_as(v) for v in used)
        ]
        inner = [a.var for a in _sum_order(sums)]
        read = tir.BufferLoad(buffer, [*outer, block, *inner, at[1] * tile.lanes + at[2]])
        return map_loads(sums.right, lambda _: read)

    step = each(
        lambda at: tir.BufferStore(
            acc, tir.BufferLoad(acc, at) + substitute(sums.left, places(at)) * right(at), at
        )
    )
    for axis in reversed(_sum_order(sums)):
        step = serial(axis.var, axis.extent, step)
    return sequence(
        [
            tir.AllocBuffer(acc),
            each(lambda at: tir.BufferStore(acc, sums.stage.init, at)),
            step,
            each(lambda at: end.store(tir.BufferLoad(acc, at), places(at))),
        ]
    )
