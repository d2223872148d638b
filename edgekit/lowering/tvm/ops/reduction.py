"""Reductions, extrema and their places, running sums."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from edgekit.lowering.ledger import Value
from edgekit.lowering.op import Op
from edgekit.lowering.tvm.builder import TVMBuilder, computed
from edgekit.lowering.tvm.ops.pooling import mean_of_codes
from edgekit.lowering.tvm.table import lowers


def axes_of(n: Op, rank: int) -> list[int]:
    """Returns the axes that a reduction node reduces, sorted; none where it is the identity."""
    given = n.input(1)
    axes = [] if given is None else [int(a) % rank for a in n.known(1, "axes").reshape(-1)]
    if axes or n.attr("noop_with_empty_axes", 0):
        return sorted(axes)
    return list(range(rank))


_PLAIN = {
    "ReduceSum": "reduce_sum",
    "ReduceProd": "reduce_product",
    "ReduceMax": "reduce_max",
    "ReduceMin": "reduce_min",
    "ReduceMean": "reduce_mean",
}


@lowers(*_PLAIN, since=13)
def plain(b: TVMBuilder, n: Op) -> Value:
    """Reductions that are one kernel."""
    x, keep = n.operand(0), bool(n.attr("keepdims", 1))
    axes = axes_of(n, x.rank)
    whole = mean_of_codes(b, n, axes, keep=keep) if n.type == "ReduceMean" else None
    return whole or computed(b, [x], lambda v: b.reduce(_PLAIN[n.type], v, axes, keep=keep))


@lowers("ReduceL1", "ReduceL2", "ReduceSumSquare", "ReduceLogSum", "ReduceLogSumExp", since=18)
def composed(b: TVMBuilder, n: Op) -> Value:
    """Reductions that are a sum of something, or a function of it."""
    x, keep = n.operand(0), bool(n.attr("keepdims", 1))
    axes = axes_of(n, x.rank)

    def total(v: Value) -> Value:
        return b.reduce("reduce_sum", v, axes, keep=keep)

    def log_sum_exp(v: Value) -> Value:
        if any(x.shape[a] == 0 for a in axes):
            return b.map("log", total(b.map("exp", v)))
        largest = float(np.finfo(v.dtype).max)
        peak = b.reduce("reduce_max", v, axes)
        shift = b.map("minimum", b.map("maximum", peak, b.scalar(-largest, v)), b.scalar(largest, v))
        power = b.map("exp", b.map("subtract", v, shift))
        result = b.map("add", b.map("log", b.reduce("reduce_sum", power, axes)), shift)
        return result if keep else b.squeeze(result, axes)

    formulas: dict[str, Callable[[Value], Value]] = {
        "ReduceL1": lambda v: total(b.map("abs", v)),
        "ReduceL2": lambda v: _root(b, total(b.map("multiply", v, v))),
        "ReduceSumSquare": lambda v: total(b.map("multiply", v, v)),
        "ReduceLogSum": lambda v: _logarithm(b, total(v)),
        "ReduceLogSumExp": log_sum_exp,
    }
    if n.type == "ReduceLogSumExp" and x.dtype.kind in "iu":
        return b.cast(log_sum_exp(b.cast(x, np.float64)), x.dtype)
    return computed(b, [x], formulas[n.type])


def _root(b: TVMBuilder, x: Value) -> Value:
    return _of_real(b, "sqrt", x)


def _logarithm(b: TVMBuilder, x: Value) -> Value:
    return _of_real(b, "log", x)


def _of_real(b: TVMBuilder, name: str, x: Value) -> Value:
    if x.dtype.kind in "iu":
        return b.cast(b.map(name, b.cast(x, np.float64)), x.dtype)
    return b.map(name, x)


@lowers("ArgMax", "ArgMin", since=13)
def arg_extremum(b: TVMBuilder, n: Op) -> Value:
    """Index of the largest or smallest element along an axis."""
    x = n.operand(0)
    real = b.cast(x, np.float32) if x.dtype.name in ("float16", "bfloat16") else x
    attrs = {
        "axis": n.attr("axis", 0) % x.rank,
        "keep": bool(n.attr("keepdims", 1)),
        "last": bool(n.attr("select_last_index", 0)),
    }
    return b.like(n, n.type.lower(), [real], attrs)


@lowers("CumSum", "CumProd", since=11)
def cumulative(b: TVMBuilder, n: Op) -> Value:
    """Running sums and products along an axis."""
    x = n.operand(0)
    attrs = {
        "axis": int(n.known(1, "axis").reshape(())) % x.rank,
        "exclusive": bool(n.attr("exclusive", 0)),
        "reverse": bool(n.attr("reverse", 0)),
        "times": n.type == "CumProd",
    }
    return computed(b, [x], lambda v: b.op("cumulative", [v], attrs, dtype=v.dtype, shape=v.shape))
