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
    if n.input(3) is not None and n.const(3) is None:
        return computed(b, [x], lambda v: _to_sizes(b, n, v)) if mode != "nearest" else _to_sizes(b, n, x)
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


def _to_sizes(b: TVMBuilder, n: Op, x: Value) -> Value:
    """Resamples axes to sizes that are computed at run time."""
    axes = [a % x.rank for a in n.attr("axes") or range(x.rank)]
    if (n.attr("keep_aspect_ratio_policy") or "stretch") != "stretch":
        n.refuse("`keep_aspect_ratio_policy` with sizes computed at run time", code="EK305")
    shape = n.out_shape()
    for k, i in enumerate(axes):
        if _keeps(n, i):
            continue
        size = b.slice(n.operand(3), 0, k, k + 1)
        x = _by_formula(b, n, x, i, 1.0, n.attr("coordinate_transformation_mode") or "half_pixel", size,
                        shape[i])  # fmt: skip
    return x


def _keeps(n: Op, axis: int) -> bool:
    """Tells whether shape inference gives an axis the same size before and after."""
    source, result = n.node.inputs[0], n.node.outputs[0]
    if source is None or source.shape is None or result.shape is None:
        return False
    old, new = source.shape[axis], result.shape[axis]
    return old == new and (isinstance(new, int) or getattr(new, "value", None) is not None)


def _of_unknown_size(b: TVMBuilder, n: Op, x: Value, i: int, want: Wanted) -> Value:
    size = b.ints([want.out or 0]) if want.scale is None else None
    scale = 1.0 if want.scale is None else float(want.scale)
    return _by_formula(b, n, x, i, scale, want.coordinates, size, want.out)


def _by_formula(
    b: TVMBuilder,
    n: Op,
    x: Value,
    i: int,
    scale: float,
    coordinates: str,
    size: Value | None,
    out: int | None,
) -> Value:
    mode = n.attr("mode") or "nearest"
    if mode == "cubic" or n.attr("antialias", 0) or coordinates not in _ANY_SIZE:
        n.refuse(f"`{mode}` interpolation along an axis of a size known only at run time", code="EK305")
    attrs = {
        "axis": i,
        "scale": scale,
        "coordinates": coordinates,
        "mode": mode,
        "nearest": n.attr("nearest_mode") or "round_prefer_floor",
    }
    shape = (*x.shape[:i], out, *x.shape[i + 1 :])
    return b.op("resample_scaled", [x, size], attrs, dtype=x.dtype, shape=shape)
