"""Stages that compute each element by itself, and the fallback for stages that reduce."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from edgekit.lowering.tvm.schedule.expr import free_vars, has_calls, index, number, substitute
from edgekit.lowering.tvm.schedule.names import Expr, Stmt, Var, tir
from edgekit.lowering.tvm.schedule.nest import (
    PARALLEL_ELEMENTS,
    Loop,
    nested,
    sequence,
    serial,
    tile_start,
    tiles,
    variable,
    vectorized,
)
from edgekit.lowering.tvm.schedule.rules.table import Scheduled, Task, rule
from edgekit.lowering.tvm.schedule.stage import Axis, Declined, Stage


@rule("generic", order=1000)
def generic(task: Task) -> Scheduled | Declined:
    """Runs outer axes in parallel and the innermost one of the result by vectors; applies always."""
    stage = task.stage
    axes = _stored_order(stage)
    inner = axes[-1] if axes and axes[-1].size is not None and axes[-1].size > 1 else None
    lanes = min(task.cpu.lanes(stage.buffer.ty.dtype), inner.size or 1) if inner is not None else 1
    work = 1
    for a in stage.axes:
        work *= a.size or 64
    threads = work >= PARALLEL_ELEMENTS
    if inner is None:
        body = _element(stage, {}, 1)
        return Scheduled(nested([Loop(a.var, a.extent, a.begin) for a in axes], body, threads=threads))
    block = variable("block")
    start = inner.begin + tile_start(block, inner.size or 1, lanes)
    body = _element(stage, {inner.var: start}, lanes, inner.var)
    loops = [Loop(a.var, a.extent, a.begin) for a in axes[:-1]]
    return Scheduled(nested([*loops, Loop(block, tiles(inner.size or 1, lanes))], body, threads=threads))


def _stored_order(stage: Stage) -> list[Axis]:
    """Orders the axes of the result as its elements lie in memory."""
    order = [v for i in stage.indices for v in free_vars(i)]
    first = [a for a in stage.spatial if not any(a.var.same_as(v) for v in order)]
    return first + [a for v in order for a in stage.spatial if a.var.same_as(v)]


def _element(stage: Stage, base: dict[Var, Expr], lanes: int, inner: Var | None = None) -> Stmt:
    """Writes `lanes` elements of the result."""

    def at(lane: Expr) -> dict[Var, Expr]:
        return {v: b + lane for v, b in base.items()}

    if stage.init is None:
        return vectorized(
            lanes,
            lambda lane: tir.BufferStore(
                stage.buffer,
                substitute(stage.value, at(lane)),
                [substitute(i, at(lane)) for i in stage.indices],
            ),
        )
    acc = tir.decl_buffer([index(lanes)], stage.buffer.ty.dtype, "acc", scope="local")

    def step(lane: Expr) -> Stmt:
        from edgekit.lowering.tvm.schedule.expr import map_loads

        value = map_loads(
            stage.value, lambda l: tir.BufferLoad(acc, [lane]) if l.source.same_as(stage.buffer) else l
        )
        return tir.BufferStore(acc, substitute(value, at(lane)), [lane])

    body = vectorized(lanes, step)
    for axis in reversed(stage.reduction):
        body = serial(axis.var, axis.extent, body, axis.begin)
    return sequence(
        [
            tir.AllocBuffer(acc),
            vectorized(lanes, lambda lane: tir.BufferStore(acc, substitute(stage.init, at(lane)), [lane])),
            body,
            vectorized(
                lanes,
                lambda lane: tir.BufferStore(
                    stage.buffer,
                    tir.BufferLoad(acc, [lane]),
                    [substitute(i, at(lane)) for i in stage.indices],
                ),
            ),
        ]
    )
