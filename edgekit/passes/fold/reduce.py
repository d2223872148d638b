"""Kernels of reductions: float64 inside, rounded once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from edgekit.passes.fold.table import Array, Call, Decline, folds, normal_axis, refuse_nan, require_plain


def _axes(call: Call) -> tuple[int, ...] | None:
    """Returns the axes to reduce, or `None` for an op that does nothing."""
    axes = call.ints(1)
    if not axes:
        return None if call.attr("noop_with_empty_axes", 0) else tuple(range(call[0].ndim))
    return tuple(normal_axis(a, call[0].ndim) for a in axes)


_Reduction = Callable[[Array, tuple[int, ...], bool], Any]

_FLOAT: dict[str, _Reduction] = {
    "ReduceSum": lambda x, a, k: np.sum(x, a, keepdims=k),
    "ReduceMean": lambda x, a, k: np.mean(x, a, keepdims=k),
    "ReduceProd": lambda x, a, k: np.prod(x, a, keepdims=k),
    "ReduceL1": lambda x, a, k: np.sum(np.abs(x), a, keepdims=k),
    "ReduceL2": lambda x, a, k: np.sqrt(np.sum(x * x, a, keepdims=k)),
    "ReduceSumSquare": lambda x, a, k: np.sum(x * x, a, keepdims=k),
}
_INTEGER: dict[str, _Reduction] = {
    "ReduceSum": lambda x, a, k: np.sum(x, a, dtype=x.dtype, keepdims=k),
    "ReduceProd": lambda x, a, k: np.prod(x, a, dtype=x.dtype, keepdims=k),
}


@folds(*_FLOAT)
def reduce_sum(call: Call) -> Array:
    """Sums and products over axes."""
    require_plain(call[0])
    axes, keep = _axes(call), bool(call.attr("keepdims", 1))
    kernels = _FLOAT if call[0].dtype.kind == "f" else _INTEGER
    if call.node.op_type not in kernels or call[0].size == 0:
        raise Decline("not defined for this dtype or without elements")
    if axes is None:
        if call.node.op_type not in ("ReduceSum", "ReduceMean", "ReduceProd"):
            raise Decline("does more than nothing")
        return call[0]
    wide = call[0].astype(np.float64) if call[0].dtype.kind == "f" else call[0]
    return np.asarray(kernels[call.node.op_type](wide, axes, keep)).astype(call[0].dtype)


@folds("ReduceMax", "ReduceMin")
def reduce_extreme(call: Call) -> Array:
    """Largest or smallest element over axes."""
    require_plain(call[0])
    refuse_nan(call[0])
    axes = _axes(call)
    if call[0].size == 0:
        raise Decline("no elements")
    if axes is None:
        return call[0]
    function = np.max if call.node.op_type == "ReduceMax" else np.min
    return np.asarray(function(call[0], axes, keepdims=bool(call.attr("keepdims", 1))))
