"""The fallback: stages that compute each element by itself, and sums of any form."""

from __future__ import annotations

from edgekit.lowering.tvm.adapter import Expr, tir
from edgekit.lowering.tvm.schedule.expr import Stmt, Var, free_vars, index, map_loads, reads_bools, substitute
from edgekit.lowering.tvm.schedule.nest import (
    Loop,
    nested,
    sequence,
    serial,
    tile_start,
    tiles,
    variable,
    vectorized,
    worth_threads,
)
from edgekit.lowering.tvm.schedule.partition import parts
from edgekit.lowering.tvm.schedule.rules.table import Scheduled, Task, rule
from edgekit.lowering.tvm.schedule.stage import Axis, Stage


@rule("generic", order=1000)
def generic(task: Task) -> Scheduled:
    """Runs outer axes in parallel and the innermost one of the result by vectors; applies always."""
    lanes = task.cpu.lanes(task.stage.buffer.ty.dtype)
    return Scheduled(sequence([_part(part, lanes) for part in parts(task.stage)]))


def _part(stage: Stage, lanes: int) -> Stmt:
    axes = _stored_order(stage)
    outer = [Loop(a.var, a.extent, a.begin) for a in axes]
    threads = worth_threads(stage.axes)
    size = axes[-1].size if axes else None
    if size is None or size < 2 or reads_bools(stage.value):
        return nested(outer, _elements(stage, None, index(0), 1), threads=threads)
    width = min(lanes, size)
    block = variable("block")
    start = axes[-1].begin + tile_start(block, size, width)
    body = _elements(stage, axes[-1].var, start, width)
    return nested([*outer[:-1], Loop(block, tiles(size, width))], body, threads=threads)


def _stored_order(stage: Stage) -> list[Axis]:
    """Orders the axes of the result as its elements lie in memory."""
    order = [v for i in stage.indices for v in free_vars(i)]
    first = [a for a in stage.spatial if not any(a.var.same_as(v) for v in order)]
    return first + [a for v in order for a in stage.spatial if a.var.same_as(v)]


def _elements(stage: Stage, inner: Var | None, start: Expr, width: int) -> Stmt:
    """Writes `width` neighbours of the result."""

    def at(expr: Expr, lane: Expr) -> Expr:
        return expr if inner is None else substitute(expr, {inner: start + lane})

    def store(value: Expr, lane: Expr) -> Stmt:
        return tir.BufferStore(stage.buffer, value, [at(i, lane) for i in stage.indices])

    if stage.init is None:
        return vectorized(width, lambda lane: store(at(stage.value, lane), lane))
    acc = tir.decl_buffer([index(width)], stage.buffer.ty.dtype, "acc", scope="local")

    def step(lane: Expr) -> Stmt:
        own = tir.BufferLoad(acc, [lane])
        value = map_loads(stage.value, lambda load: own if load.source.same_as(stage.buffer) else load)
        return tir.BufferStore(acc, at(value, lane), [lane])

    body = vectorized(width, step)
    for axis in reversed(stage.reduction):
        body = serial(axis.var, axis.extent, body, axis.begin)
    first = vectorized(width, lambda lane: tir.BufferStore(acc, at(stage.init, lane), [lane]))
    last = vectorized(width, lambda lane: store(tir.BufferLoad(acc, [lane]), lane))
    return sequence([tir.AllocBuffer(acc), first, body, last])
