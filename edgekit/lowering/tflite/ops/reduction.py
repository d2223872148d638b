"""Reductions."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from edgekit.lowering.ledger import Value
from edgekit.lowering.op import Op
from edgekit.lowering.tflite import sizes as sz
from edgekit.lowering.tflite.builder import TFLiteBuilder
from edgekit.lowering.tflite.formula import Term
from edgekit.lowering.tflite.integers import ARITHMETIC, modular, ordered
from edgekit.lowering.tflite.kernels import carried
from edgekit.lowering.tflite.reduce import reduce, reduced_shape
from edgekit.lowering.tflite.table import lowers

_BUILTIN = {
    "ReduceSum": "SUM",
    "ReduceProd": "REDUCE_PROD",
    "ReduceMax": "REDUCE_MAX",
    "ReduceMin": "REDUCE_MIN",
}
_BOOLEAN = {"ReduceMax": "REDUCE_ANY", "ReduceMin": "REDUCE_ALL"}


def axes_of(n: Op, rank: int) -> list[int]:
    """Returns the axes that a reduction node reduces, sorted; none where it is the identity."""
    given = n.input(1)
    axes = [] if given is None else [int(a) % rank for a in n.known(1, "axes").reshape(-1)]
    if axes or n.attr("noop_with_empty_axes", 0):
        return sorted(axes)
    return list(range(rank))


@lowers("ReduceSum", since=13)
@lowers("ReduceProd", since=18)
def sum_or_product(b: TFLiteBuilder, n: Op) -> Value:
    """ReduceSum, ReduceProd -> SUM, REDUCE_PROD; integers wrap as in ONNX."""
    x, keep = n.operand(0), bool(n.attr("keepdims", 1))
    return modular(b, [x], lambda v: reduce(b, _BUILTIN[n.type], v, axes_of(n, x.rank), keep=keep))


@lowers("ReduceMax", "ReduceMin", since=18)
def extremum(b: TFLiteBuilder, n: Op) -> Value:
    """ReduceMax, ReduceMin -> REDUCE_MAX, REDUCE_MIN, or REDUCE_ANY, REDUCE_ALL of booleans."""
    x, keep = n.operand(0), bool(n.attr("keepdims", 1))
    axes = axes_of(n, x.rank)
    if any(x.shape[a] == 0 for a in axes):
        return _of_nothing(b, n, x, reduced_shape(x.shape, axes, keep=keep))
    if x.dtype == np.bool_:
        return reduce(b, _BOOLEAN[n.type], x, axes, keep=keep)
    return ordered(b, [x], lambda v: reduce(b, _BUILTIN[n.type], v, axes, keep=keep))


def _of_nothing(b: TFLiteBuilder, n: Op, x: Value, shape: tuple[int | None, ...]) -> Value:
    """The largest or smallest element of none: the dtype's other end."""
    sizes = [d for d in shape if d is not None]
    if len(sizes) < len(shape):
        n.refuse("an empty axis is reduced and other sizes are known only at run time", code="EK305")
    least = n.type == "ReduceMax"
    if x.dtype == np.bool_:
        end: float = not least
    elif x.dtype.kind == "f" or x.dtype.name == "bfloat16":
        end = -np.inf if least else np.inf
    else:
        end = np.iinfo(x.dtype).min if least else np.iinfo(x.dtype).max
    return b.const(np.full(sizes, end, x.dtype))


@lowers("ReduceMean", since=18)
def mean(b: TFLiteBuilder, n: Op) -> Value:
    """ReduceMean -> MEAN; integer means are truncated as ONNX's division is."""
    x, keep = n.operand(0), bool(n.attr("keepdims", 1))
    axes = axes_of(n, x.rank)
    return carried(b, [x], ARITHMETIC, lambda v: reduce(b, "MEAN", v, axes, keep=keep))


@lowers("ReduceL1", "ReduceL2", "ReduceSumSquare", "ReduceLogSum", "ReduceLogSumExp", since=18)
def composed(b: TFLiteBuilder, n: Op) -> Value:
    """ReduceL1, ReduceL2, ReduceSumSquare, ReduceLogSum, ReduceLogSumExp -> SUM of what each sums."""
    x, keep = n.operand(0), bool(n.attr("keepdims", 1))
    axes = axes_of(n, x.rank)

    def total(v: Term) -> Term:
        return Term(b, reduce(b, "SUM", v.value, axes, keep=keep))

    def log_sum_exp(v: Term) -> Term:
        if any(x.shape[a] == 0 for a in axes):
            return total(v.exp()).log()
        peak = Term(b, reduce(b, "REDUCE_MAX", v.value, axes))
        largest = float(np.finfo(np.float32).max)
        shift = peak.clip(-largest, largest)
        result = Term(b, reduce(b, "SUM", (v - shift).exp().value, axes)).log() + shift
        result = (peak > largest).where(peak, result)  # LOG of infinity may be finite in LiteRT
        if keep:
            return result
        sizes = [s for i, s in enumerate(sz.sizes_of(b, v.value)) if i not in axes]
        return Term(b, sz.reshape(b, result.value, sizes))

    formulas: dict[str, Callable[[Term], Term]] = {
        "ReduceL1": lambda v: total(_magnitude(v)),
        "ReduceL2": lambda v: total(v * v).sqrt(),
        "ReduceSumSquare": lambda v: total(v * v),
        "ReduceLogSum": lambda v: total(v).log(),
        "ReduceLogSumExp": log_sum_exp,
    }
    kernels = ARITHMETIC if n.type in ("ReduceL1", "ReduceSumSquare") else ("float32",)
    return carried(b, [x], kernels, lambda v: formulas[n.type](Term(b, v)).value)


def _magnitude(v: Term) -> Term:
    return v.maximum(-v) if v.value.dtype == np.int64 else v.abs()
