"""Kernel of QuantizeLinear, so that weights which are fake-quantised become integers."""

from __future__ import annotations

import numpy as np

from edgekit.passes.fold.table import Array, Call, Decline, folds, normal_axis, require_plain


@folds("QuantizeLinear")
def quantize_linear(call: Call) -> Array:
    """`saturate(round_half_even(x / scale) + zero_point)`, per tensor or per axis."""
    require_plain(*call.inputs)
    x, scale, zero = call[0], call[1], call.get(2)
    if x.dtype != np.float32 or scale.dtype != np.float32 or call.attr("block_size", 0):
        raise Decline("blocks, or a dtype other than float32")
    if call.attr("precision", 0) or not np.isfinite(x).all() or not np.all(scale > 0):
        raise Decline("precision is given, or the result is undefined")
    if zero is None:
        if call.attr("output_dtype", 0) not in (0, 2):
            raise Decline("output dtype without a zero point")
        zero = np.zeros(scale.shape, np.uint8)
    if zero.dtype.kind not in "iu":
        raise Decline("not an integer")
    if scale.size == 1:
        scale, zero = scale.reshape(()), zero.reshape(())
    else:
        axis = normal_axis(call.attr("axis", 1), x.ndim)
        shape = [-1 if a == axis else 1 for a in range(x.ndim)]
        scale, zero = scale.reshape(shape), zero.reshape(shape)
    info = np.iinfo(zero.dtype)
    rounded = np.rint(x / scale).astype(np.float64) + zero.astype(np.float64)
    return np.clip(rounded, info.min, info.max).astype(zero.dtype)
