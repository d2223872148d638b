"""Kernels of ops that make tensors from sizes."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from edgekit.passes.fold.table import Array, Call, Decline, folds, normal_axis, require_plain
from edgekit.passes.inference import range_length


@folds("ConstantOfShape")
def constant_of_shape(call: Call) -> Array:
    """One value everywhere; float32 zero by default."""
    value = call.attr("value")
    fill = np.zeros(1, np.float32) if value is None else value.numpy()
    return np.full(call.ints(0) or [], fill.reshape(-1)[0], fill.dtype)


@folds("Range")
def range_(call: Call) -> Array:
    """`start + k * delta` while below the limit."""
    require_plain(*call.inputs)
    start, limit, delta = (call[i].reshape(()) for i in range(3))
    if delta == 0 or start.dtype == np.float16:
        raise Decline("the count is not defined, or rounding differs between versions")
    count = range_length(start, limit, delta)
    if start.dtype.kind != "f":
        return np.array(range(int(start), int(start) + count * int(delta), int(delta)), start.dtype)
    return np.asarray(start + np.arange(count).astype(start.dtype) * delta, start.dtype)


@folds("EyeLike")
def eye_like(call: Call) -> Array:
    """Ones on a diagonal."""
    to = call.attr("dtype")
    dtype = call[0].dtype if to is None else np.dtype(ir.DataType(to).numpy())
    rows, columns = call[0].shape
    return np.eye(rows, columns, call.attr("k", 0), dtype)


@folds("OneHot")
def one_hot(call: Call) -> Array:
    """`on` at each index along a new axis, `off` elsewhere and for indices out of range."""
    require_plain(*call.inputs)
    if call[0].dtype.kind == "f":
        raise Decline("fractional indices")
    depth = int(call[1].reshape(-1)[0])
    off, on = call[2]
    axis = normal_axis(call.attr("axis", -1), call[0].ndim + 1)
    indices = call[0].astype(np.int64)
    indices = np.expand_dims(np.where(indices < 0, indices + depth, indices), axis)
    positions = np.arange(depth).reshape([-1 if a == axis else 1 for a in range(call[0].ndim + 1)])
    return np.asarray(np.where(indices == positions, on, off), call[2].dtype)


@folds("Trilu")
def trilu(call: Call) -> Array:
    """Keeps one triangle of the last two axes."""
    offset = call.get(1)
    k = 0 if offset is None else int(offset.reshape(-1)[0])
    return np.triu(call[0], k) if call.attr("upper", 1) else np.tril(call[0], k)


@folds("CumSum")
def cum_sum(call: Call) -> Array:
    """Running sums along an axis."""
    require_plain(call[0])
    axis = normal_axis(int(call[1].reshape(-1)[0]), call[0].ndim)
    data = np.flip(call[0], axis) if call.attr("reverse", 0) else call[0]
    wide = data.astype(np.float64) if data.dtype.kind == "f" else data
    sums = np.cumsum(wide, axis, dtype=wide.dtype)
    if call.attr("exclusive", 0):
        sums = sums - wide
    sums = sums.astype(data.dtype)
    return np.asarray(np.flip(sums, axis), order="C") if call.attr("reverse", 0) else sums
