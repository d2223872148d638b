"""The choices made for one contraction: lanes, rows, packing, tile, order of loops."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from edgekit.lowering.tvm.adapter import Expr, dtype_of, tir
from edgekit.lowering.tvm.schedule import contraction as con
from edgekit.lowering.tvm.schedule import epilogue, pack, rows
from edgekit.lowering.tvm.schedule.expr import Var, free_vars, index, loads, map_loads, number
from edgekit.lowering.tvm.schedule.pairs import can_pair
from edgekit.lowering.tvm.schedule.rules.table import Task
from edgekit.lowering.tvm.schedule.stage import Axis, Declined, elements
from edgekit.lowering.tvm.schedule.tile import Tile, Work, candidates

CACHED_BYTES = 1 << 18
"""An operand up to this size is read again and again from the second cache rather than from memory."""


@dataclass(frozen=True)
class Packed:
    """The right factor in the order in which tiles read it.

    Attributes:
        buffer: The packed buffer.
        value: What it holds, an expression of the axes: the factor if that is guarded, else only its read.
        plan: How it is packed.
        outer: The variables of its axes before the blocks.
        parameter: Position of the constant that it replaces, or None if it is packed at run time.
    """

    buffer: Var
    value: Expr
    plan: pack.Pack
    outer: tuple[Axis, ...]
    parameter: int | None


@dataclass(frozen=True)
class Plan:
    """A contraction with the choices made for it.

    Attributes:
        sums: The contraction.
        end: What is computed on each element of the finished tile.
        row: The axis that the rows of a tile run over, or None.
        lane: The axis that its columns run over.
        packed: The packed right factor, or None to read it where it is.
        tile: The tile.
        columns_first: Whether the blocks of columns are an outer loop.
    """

    sums: con.Contraction
    end: epilogue.Epilogue
    row: Axis | None
    lane: Axis
    packed: Packed | None
    tile: Tile
    columns_first: bool


def plan_of(task: Task) -> Plan | Declined:
    """Plans the stage of a task.

    Returns:
        The plan, or why the stage is no contraction that can be tiled.
    """
    found = _factors(task)
    if isinstance(found, Declined):
        return found
    sums, lane = found
    if any(a.size == 0 for a in sums.stage.axes):
        return Declined("the result or the sum is empty")
    end = epilogue.of(task.program, task.position).moved(sums.origin)
    sums, end = rows.fused(task.program, sums, end)
    row = _row(sums)
    work = work_of(sums, row, lane)
    tile, columns_first = _decided(task.decision, candidates(work, task.cpu), work)
    last = next(iter(sum_order(sums)[::-1]), None)
    paired = _constant(task, sums.right) is not None and can_pair(sums, last, tile.lanes, task.cpu)
    packed = _packed(task, sums, row, lane, tile.width, paired=paired)
    if isinstance(packed, Declined):
        return packed
    return Plan(sums, end, row, lane, packed, tile, columns_first)


def work_of(sums: con.Contraction, row: Axis | None, lane: Axis) -> Work:
    """Describes what is to be tiled."""
    return Work(
        rows=1 if row is None else row.size or 1,
        columns=lane.size or 1,
        steps=elements(sums.sums) or 1,
        dtype=str(sums.stage.buffer.ty.dtype),
        shared=not any(a is lane for a in sums.columns),
    )


def _decided(decision: Mapping[str, Any] | None, choices: list[Tile], work: Work) -> tuple[Tile, bool]:
    """Returns the tile of a decision if it is one of the choices, else the first choice."""
    tile = choices[0]
    columns_first = work.columns * work.steps * 4 > CACHED_BYTES
    if decision is not None:
        wanted = (decision.get("rows"), decision.get("vectors"))
        tile = next((t for t in choices if (t.rows, t.vectors) == wanted), tile)
        columns_first = bool(decision.get("columns_first", columns_first))
    return tile, columns_first


def _factors(task: Task) -> tuple[con.Contraction, Axis] | Declined:
    """Chooses the factor that gives the lanes: a constant first, then one whose lanes lie together."""
    pair = con.factors(task.stage)
    if isinstance(pair, Declined):
        return pair
    able: list[tuple[bool, bool, con.Contraction, Axis]] = []
    reasons: list[Declined] = []
    for left, right in (pair, pair[::-1]):
        sums = con.analyse(task.stage, left, right)
        lane = sums if isinstance(sums, Declined) else _lane(sums)
        if isinstance(sums, Declined) or isinstance(lane, Declined):
            reasons.append(lane)  # type: ignore[arg-type] # `lane` is the reason in both cases
            continue
        able.append((_constant(task, sums.right) is None, not contiguous(sums.right, lane.var), sums, lane))
    if not able:
        return reasons[0]
    return min(able, key=lambda a: a[:2])[2:]


def _constant(task: Task, factor: Expr) -> int | None:
    """Returns the position of the constant parameter that a factor reads."""
    source = loads(factor)[0].source
    params = enumerate(task.program.params)
    return next((i for i, p in params if i in task.constants and p.same_as(source)), None)


def _lane(sums: con.Contraction) -> Axis | Declined:
    """Chooses the axis of the lanes: the last one of the result if it can be, else the largest."""
    able = [a for a in sums.columns if a.size is not None]
    if not sums.columns:
        shared = [a for a in sums.batch if a.size is not None]
        able = [a for a in shared if contiguous(sums.left, a.var)]
    if not able:
        return Declined("no axis of the result of known size can be the lanes")
    last = next((i for i in reversed(sums.stage.indices) if number(i) is None), index(0))
    return max(able, key=lambda a: (_steps(last, a.var), a.size or 0))


def contiguous(factor: Expr, var: Var) -> bool:
    """Tells whether steps of a variable are steps of one element in every read of a factor."""
    for load in loads(factor):
        places = [i for i, d in zip(load.indices, load.source.ty.shape, strict=True) if number(d) != 1]
        if not places or not _steps(places[-1], var):
            return False
        if any(var.same_as(v) for p in places[:-1] for v in free_vars(p)):
            return False
    return True


def _steps(place: Expr, var: Var) -> bool:
    """Tells whether an index is a variable, or something without it plus the variable."""
    if isinstance(place, tir.Add):
        ends = (place.a, place.b) if place.a.same_as(var) else (place.b, place.a)
        return bool(ends[0].same_as(var)) and not any(var.same_as(v) for v in free_vars(ends[1]))
    return bool(place.same_as(var))


def _row(sums: con.Contraction) -> Axis | None:
    """Chooses the axis that rows of a tile run over: the innermost one of the result of known size."""
    order = [v for i in sums.stage.indices for v in free_vars(i)]
    known = [a for v in order for a in sums.rows if a.var.same_as(v) and a.size is not None]
    return known[-1] if known else None


def _packed(
    task: Task, sums: con.Contraction, row: Axis | None, lane: Axis, width: int, *, paired: bool
) -> Packed | Declined | None:
    position = _constant(task, sums.right)
    if position is None and contiguous(sums.right, lane.var):
        return None
    read = loads(sums.right)[0]
    if position is None and task.program.is_local(read.source):
        return Declined("the right factor is computed in the function and its lanes are apart")
    value = sums.right if _is_guarded(sums.right) else read
    if value is sums.right and (position is not None or row is None):
        return Declined("the right factor has a condition, and packing it does not pay or is not possible")
    used = free_vars(sums.right)
    others = (a for a in (*sums.batch, *sums.columns) if a is not lane)
    outer = tuple(a for a in others if any(a.var.same_as(v) for v in used))
    planned = pack.plan(read.indices, outer, sum_order(sums), lane, width)
    if isinstance(planned, Declined):
        return planned
    planned = replace(planned, paired=paired)
    shape = [index(d) for d in planned.shape]
    buffer = tir.decl_buffer(shape, dtype_of(value), f"{read.source.name}_packed")
    return Packed(buffer, value, planned, outer, position)


def _is_guarded(factor: Expr) -> bool:
    """Tells whether a factor is more than its read, perhaps converted: it chooses by where it is read.

    Without its condition the read may lie outside of its buffer, as the padding of a convolution does.
    """
    return bool(free_vars(map_loads(factor, lambda load: tir.const(0, dtype_of(load)))))


def sum_order(sums: con.Contraction) -> tuple[Axis, ...]:
    """Orders the sums so that the left factor is read along its memory."""
    reads = loads(sums.left)
    order = [v for i in (reads[0].indices if reads else ()) for v in free_vars(i)]

    def place(axis: Axis) -> int:
        return max((i for i, v in enumerate(order) if v.same_as(axis.var)), default=-1)

    return tuple(sorted(sums.sums, key=place))
