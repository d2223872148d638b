"""Reductions over axes, and where the largest and smallest elements are."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from edgekit.lowering.coreml import sizes as sz
from edgekit.lowering.coreml.bounds import Interval
from edgekit.lowering.coreml.builder import CoreMlBuilder
from edgekit.lowering.coreml.formula import Term
from edgekit.lowering.coreml.integers import in_order, result
from edgekit.lowering.coreml.table import lowers
from edgekit.lowering.ledger import Value
from edgekit.lowering.op import Op


def _axes(n: Op, x: Value) -> list[int]:
    """Returns the axes to reduce, from the front."""
    if n.input(1) is not None:
        axes = [int(a) % max(x.rank, 1) for a in n.known(1, "axes").reshape(-1)]
        if axes:
            return sorted(set(axes))
    return [] if n.attr("noop_with_empty_axes", 0) else list(range(x.rank))


def _reduced(b: CoreMlBuilder, n: Op, formula: Callable[[Term, list[int], bool], Term]) -> Value:
    x = n.operand(0)
    return formula(Term(b, x), _axes(n, x), bool(n.attr("keepdims", 1))).value


@lowers("ReduceSum", since=13)
def reduce_sum(b: CoreMlBuilder, n: Op) -> Value:
    """ReduceSum -> reduce_sum."""
    return _sum(b, n, n.operand(0), b.interval(n.operand(0)) if _is_int(n) else None)


def _is_int(n: Op) -> bool:
    return n.operand(0).dtype.kind in "iu"


def _sum(b: CoreMlBuilder, n: Op, x: Value, span: Interval | None) -> Value:
    axes = _axes(n, x)
    made = b.reduce("reduce_sum", x, axes, keep=bool(n.attr("keepdims", 1)))
    if span is None or not axes:
        return made
    sizes = [x.shape[a] for a in axes]
    count = 2**31 if None in sizes else math.prod(s or 0 for s in sizes)
    return result(b, n, made, span.times(min(1, count) if count == 2**31 else count, count))


@lowers("ReduceMean", since=18)
def reduce_mean(b: CoreMlBuilder, n: Op) -> Value:
    """ReduceMean -> reduce_mean."""
    if _is_int(n):
        n.refuse("the mean of integers; ONNX does not say how it is rounded")
    return _reduced(b, n, lambda x, axes, keep: x.reduce("reduce_mean", axes, keep=keep))


@lowers("ReduceMax", "ReduceMin", since=20)
def reduce_extremum(b: CoreMlBuilder, n: Op) -> Value:
    """ReduceMax, ReduceMin -> reduce_max, reduce_min; bools as int32."""
    x = n.operand(0)
    op = "reduce_max" if n.type == "ReduceMax" else "reduce_min"
    keep, axes = bool(n.attr("keepdims", 1)), _axes(n, x)
    if x.dtype == np.bool_:
        return b.cast(b.reduce(op, b.cast(x, np.int32), axes, keep=keep), np.bool_)
    if x.dtype == np.uint32 and not b.interval(x).is_int32:
        made = Term(b, b.reduce(op, in_order(b, x), axes, keep=keep)) + -(2**31)
        return b.relabel(made.value, x.dtype)
    made_value = b.reduce(op, x, axes, keep=keep)
    return b.bounded(made_value, b.interval(x)) if _is_int(n) else made_value


@lowers("ReduceProd", since=18)
def reduce_prod(b: CoreMlBuilder, n: Op) -> Value:
    """ReduceProd -> reduce_prod."""
    x = n.operand(0)
    made = _reduced(b, n, lambda t, axes, keep: t.reduce("reduce_prod", axes, keep=keep))
    if not _is_int(n):
        return made
    sizes = [x.shape[a] for a in _axes(n, x)]
    count = 2**31 if None in sizes else math.prod(s or 0 for s in sizes)
    largest = max(abs(b.interval(x).low), abs(b.interval(x).high), 1)
    bits = math.log2(largest) * count
    limit = 2**40 if bits > 40 else largest**count
    return result(b, n, made, Interval(-limit, limit))


@lowers("ReduceL1", since=18)
def reduce_l1(b: CoreMlBuilder, n: Op) -> Value:
    """ReduceL1 -> reduce_sum of abs."""
    x = n.operand(0)
    size = b.unary("abs", x) if x.dtype.kind != "u" else x
    if not _is_int(n):
        return _sum(b, n, size, None)
    span = b.interval(x)
    return _sum(b, n, size, Interval(0, max(abs(span.low), abs(span.high))))


@lowers("ReduceL2", since=18)
def reduce_l2(b: CoreMlBuilder, n: Op) -> Value:
    """ReduceL2 -> sqrt of reduce_sum of squares."""
    if _is_int(n):
        n.refuse("the root of integers; ONNX does not say how it is rounded")
    return _reduced(b, n, lambda x, axes, keep: (x * x).reduce("reduce_sum", axes, keep=keep).sqrt())


@lowers("ReduceSumSquare", since=18)
def reduce_sum_square(b: CoreMlBuilder, n: Op) -> Value:
    """ReduceSumSquare -> reduce_sum of squares."""
    x = n.operand(0)
    square = b.binary("mul", x, x)
    if not _is_int(n):
        return _sum(b, n, square, None)
    return _sum(b, n, square, b.interval(x) * b.interval(x))


@lowers("ReduceLogSum", since=18)
def reduce_log_sum(b: CoreMlBuilder, n: Op) -> Value:
    """ReduceLogSum -> log of reduce_sum."""
    return _reduced(b, n, lambda x, axes, keep: x.reduce("reduce_sum", axes, keep=keep).log())


@lowers("ReduceLogSumExp", since=18)
def reduce_log_sum_exp(b: CoreMlBuilder, n: Op) -> Value:
    """ReduceLogSumExp -> the maximum, and the logarithm of the sum of what is left of it."""

    def formula(x: Term, axes: list[int], keep: bool) -> Term:
        top = x.reduce("reduce_max", axes)
        finite = top.abs().equals(math.inf).where(0, top)
        total = (x - finite).exp().reduce("reduce_sum", axes).log() + finite
        return total if keep or not axes else Term(b, b.squeeze(total.value, axes))

    return _reduced(b, n, formula)


@lowers("ArgMax", "ArgMin", since=13)
def arg_extremum(b: CoreMlBuilder, n: Op) -> Value:
    """ArgMax, ArgMin -> reduce_argmax, reduce_argmin; the last of equals by reversing first."""
    x = n.operand(0)
    axis, keep = int(n.attr("axis", 0)) % max(x.rank, 1), bool(n.attr("keepdims", 1))
    op = "reduce_argmax" if n.type == "ArgMax" else "reduce_argmin"
    last = bool(n.attr("select_last_index", 0))
    ordered = in_order(b, x)
    source = b.op("reverse", x=ordered, axes=[axis]) if last else ordered
    made = b.op(op, dtype=np.int32, x=source, axis=axis, keep_dims=keep)
    if last:
        length = sz.scalar(b, sz.size_of(b, x, axis))
        made = (Term(b, length) - 1 - Term(b, made)).value
    return b.bounded(b.relabel(made, np.int64), sz.LENGTHS)
