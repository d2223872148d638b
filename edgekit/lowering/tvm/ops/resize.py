"""Resize: taps and weights per axis, computed here; or formulas of sizes known only at run time."""

from __future__ import annotations

import numpy as np

from edgekit.lowering.ledger import Value
from edgekit.lowering.op import Op
from edgekit.lowering.resampling import LINEAR, Axis, Kernel, nearest, weights
from edgekit.lowering.resizing import Wanted, read
from edgekit.lowering.tvm.builder import TVMBuilder, computed
from edgekit.lowering.tvm.table import lowers
from edgekit.lowering.tvm.term import Term

_ANY_SIZE = ("half_pixel", "pytorch_half_pixel", "asymmetric", "align_corners")


@lowers("Resize", since=19)
def resize(b: TVMBuilder, n: Op) -> Value:
    """Resamples one axis after the other."""
    x = n.operand(0)
    mode = n.attr("mode") or "nearest"
    wanted = read(n)
    if mode == "nearest":
        return _resampled(b, n, x, wanted)
    if x.dtype.kind in "iu":
        n.refuse(f"interpolation of {x.dtype.name}", code="EK303")
    return computed(b, [x], lambda v: _resampled(b, n, v, wanted))


def _resampled(b: TVMBuilder, n: Op, x: Value, wanted: dict[int, Wanted]) -> Value:
    axes: dict[int, Axis] = {}
    for i, want in wanted.items():
        size = x.shape[i]
        if size is None:
            x = _of_unknown_size(b, n, x, i, want)
            continue
        axis = want.axis(n, size)
        if not axis.is_identity:
            axes[i] = axis
            x = _along(b, n, x, i, axis)
    return _extrapolated(b, n, x, axes)


def _along(b: TVMBuilder, n: Op, x: Value, i: int, axis: Axis) -> Value:
    mode = n.attr("mode") or "nearest"
    shape = (*x.shape[:i], axis.out, *x.shape[i + 1 :])
    if mode == "nearest":
        places = b.const(nearest(axis, n.attr("nearest_mode") or "round_prefer_floor"), np.int32)
        return b.op("gather", [x, places], {"axis": i}, dtype=x.dtype, shape=shape)
    antialias = bool(n.attr("antialias", 0) and axis.scale < 1)
    kernel = LINEAR if mode == "linear" else Kernel(2, n.attr("cubic_coeff_a", -0.75))
    matrix = weights(axis, kernel, antialias=antialias, exclude_outside=bool(n.attr("exclude_outside", 0)))
    taps, shares = _sparse(matrix)
    operands = [x, b.const(taps), b.const(shares, x.dtype)]
    return b.op("resample", operands, {"axis": i}, dtype=x.dtype, shape=shape)


def _sparse(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the columns that matter to each row and their weights, both (rows, taps)."""
    count = max(1, int((matrix != 0).sum(1).max()))
    order = np.argsort(matrix == 0, axis=1, kind="stable")[:, :count]
    return order.astype(np.int32), np.take_along_axis(matrix, order, 1)


def _extrapolated(b: TVMBuilder, n: Op, x: Value, axes: dict[int, Axis]) -> Value:
    """Puts the extrapolation value where `tf_crop_and_resize` looks beyond the input."""
    inside = np.ones((1,) * x.rank, bool)
    for i, axis in axes.items():
        inside = inside & ~axis.outside().reshape([-1 if j == i else 1 for j in range(x.rank)])
    if inside.all():
        return x
    beyond = b.scalar(n.attr("extrapolation_value", 0.0), x)
    return Term(b, b.const(inside)).map("where", x, beyond, dtype=x.dtype).value


def _of_unknown_size(b: TVMBuilder, n: Op, x: Value, i: int, want: Wanted) -> Value:
    mode = n.attr("mode") or "nearest"
    if want.scale is None or mode == "cubic" or n.attr("antialias", 0) or want.coordinates not in _ANY_SIZE:
        n.refuse(f"`{mode}` interpolation along an axis of a size known only at run time", code="EK305")
    attrs = {
        "axis": i,
        "scale": float(want.scale),
        "coordinates": want.coordinates,
        "mode": mode,
        "nearest": n.attr("nearest_mode") or "round_prefer_floor",
    }
    shape = (*x.shape[:i], None, *x.shape[i + 1 :])
    return b.op("resample_scaled", [x], attrs, dtype=x.dtype, shape=shape)
