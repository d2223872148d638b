"""Sums and extrema along the memory: several partial results side by side, combined at the end."""

from __future__ import annotations

from collections.abc import Callable

from edgekit.lowering.tvm.adapter import Expr, tir, tvm, tvm_ffi
from edgekit.lowering.tvm.schedule.expr import (
    Stmt,
    free_vars,
    index,
    loads,
    number,
    reads_bools,
    same,
    substitute,
)
from edgekit.lowering.tvm.schedule.nest import (
    Loop,
    nested,
    sequence,
    serial,
    unrolled,
    variable,
    vectorized,
    worth_threads,
)
from edgekit.lowering.tvm.schedule.plan import contiguous
from edgekit.lowering.tvm.schedule.rules.table import Scheduled, Task, rule
from edgekit.lowering.tvm.schedule.stage import Axis, Declined, Stage

VECTORS = 4
"""Partial results of this many vectors hide the latency of an addition."""


@rule("reduction", order=20)
def reduction(task: Task) -> Scheduled | Declined:
    """Reduces the axis along which the elements lie side by side by vectors."""
    stage = task.stage
    term = _term(stage)
    if isinstance(term, Declined):
        return term
    if reads_bools(term):
        return Declined("the stage reads bools, which vectors cannot")
    axis = next((a for a in reversed(stage.reduction) if contiguous(term, a.var)), None)
    if axis is None:
        return Declined("no axis that is reduced lies along the memory")
    last = next((i for i in reversed(stage.indices) if number(i) is None), None)
    if last is not None and contiguous(term, last):
        return Declined("the result lies along the memory too")
    left = free_vars(_combiner(stage, term)(index(0), index(0)))
    if any(v.same_as(a.var) for v in left for a in stage.axes):
        return Declined("results are not combined like elements")
    lanes = task.cpu.lanes(stage.buffer.ty.dtype)
    if axis.size is None or axis.size < 2 * lanes:
        return Declined("the axis that is reduced is short or of unknown size")
    vectors = min(VECTORS, axis.size // lanes)
    return Scheduled(_loops(stage, term, axis, axis.size, vectors, lanes))


def _term(stage: Stage) -> Expr | Declined:
    """Returns what is combined with the result so far."""
    if stage.init is None:
        return Declined("the stage does not reduce")
    value = stage.value
    if isinstance(value, tir.Select):
        pair = (value.true_value, value.false_value)  # chooses one of the two: an extremum
    elif isinstance(value, tir.Max | tir.Min) or _starts_neutral(stage):
        pair = (value.a, value.b)
    else:
        return Declined("the stage does not reduce with +, *, or an extremum")
    for own, term in (pair, pair[::-1]):
        if _is_own(own, stage) and not any(_is_own(load, stage) for load in loads(term)):
            return term
    return Declined("the result is not kept in the result")


def _starts_neutral(stage: Stage) -> bool:
    """Tells whether a stage is a sum from 0 or a product from 1, so that several may start there."""
    neutral = {tir.Add: 0, tir.Mul: 1}.get(type(stage.value))
    return neutral is not None and getattr(stage.init, "value", None) == neutral


def _is_own(expr: Expr, stage: Stage) -> bool:
    return isinstance(expr, tvm.ir.TensorLoad) and bool(expr.source.same_as(stage.buffer))


def _combiner(stage: Stage, term: Expr) -> Callable[[Expr, Expr], Expr]:
    """Returns the function with which the stage combines two results."""

    def combine(first: Expr, second: Expr) -> Expr:
        def replaced(part: Expr) -> Expr:
            return first if _is_own(part, stage) else second if same(part, term) else part

        return tvm_ffi.structural_map(stage.value, (tvm.ir.Expr, replaced), order="pre")

    return combine


def _loops(stage: Stage, term: Expr, axis: Axis, size: int, vectors: int, lanes: int) -> Stmt:
    combine = _combiner(stage, term)
    dtype = stage.buffer.ty.dtype
    partial = tir.decl_buffer([index(vectors), index(lanes)], dtype, "partial", scope="local")
    total = tir.decl_buffer([index(1)], dtype, "total", scope="local")
    whole = tir.BufferLoad(total, [index(0)])
    others = [a for a in stage.reduction if a is not axis]
    start, rest, width = variable("start"), variable("rest"), vectors * lanes

    def each(write: Callable[[list[Expr]], Stmt]) -> Stmt:
        return unrolled(vectors, lambda v: vectorized(lanes, lambda lane: write([v, lane])), "vector")

    def add(at: list[Expr]) -> Stmt:
        place = start * width + at[0] * lanes + at[1]
        value = combine(tir.BufferLoad(partial, at), substitute(term, {axis.var: place}))
        return tir.BufferStore(partial, value, at)

    def one(value: Expr) -> Stmt:
        return tir.BufferStore(total, combine(whole, value), [index(0)])

    full = size // width
    steps = [serial(start, full, each(add))]
    if size % width:
        steps.append(serial(rest, size % width, one(substitute(term, {axis.var: full * width + rest}))))
    body = sequence(steps)
    for other in reversed(others):
        body = serial(other.var, other.extent, body)
    v, lane = variable("vector"), variable("lane")
    body = sequence(
        [
            tir.AllocBuffer(partial),
            tir.AllocBuffer(total),
            tir.BufferStore(total, stage.init, [index(0)]),
            each(lambda at: tir.BufferStore(partial, stage.init, at)),
            body,
            serial(v, vectors, serial(lane, lanes, one(tir.BufferLoad(partial, [v, lane])))),
            tir.BufferStore(stage.buffer, whole, list(stage.indices)),
        ]
    )
    order = [x for i in stage.indices for x in free_vars(i)]
    spatial = [a for x in order for a in stage.spatial if a.var.same_as(x)]
    return nested([Loop(a.var, a.extent) for a in spatial], body, threads=worth_threads(stage.axes))
