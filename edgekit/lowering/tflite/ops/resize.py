"""Resize: TFLite's RESIZE ops where they do the same, else index tables and weight matrices."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from edgekit.lowering.ledger import Value
from edgekit.lowering.op import Op
from edgekit.lowering.resampling import BUILTINS, LINEAR, Axis, Builtin, Kernel, nearest, weights
from edgekit.lowering.resizing import Wanted, read
from edgekit.lowering.tflite.builder import TFLiteBuilder
from edgekit.lowering.tflite.formula import Term
from edgekit.lowering.tflite.kernels import carried
from edgekit.lowering.tflite.movement import moved
from edgekit.lowering.tflite.ops.matmul import fully_connected
from edgekit.lowering.tflite.sizes import Size, combine, pack, size_of, static
from edgekit.lowering.tflite.spatial import channels_first, channels_last
from edgekit.lowering.tflite.table import lowers

MOVABLE = ("float32", "float16", "bfloat16", "int8", "uint8", "int16", "int32", "int64", "bool")
"""Dtypes of GATHER's kernels."""


@lowers("Resize", since=19)
def resize(b: TFLiteBuilder, n: Op) -> Value:
    """Resize -> RESIZE_BILINEAR, RESIZE_NEAREST_NEIGHBOR; else GATHER or FULLY_CONNECTED per axis."""
    x = n.operand(0)
    wanted = read(n)
    if any(x.shape[i] is None for i in wanted):
        return _of_unknown_size(b, n, x, wanted)
    axes = {i: w.axis(n, size) for i, w in wanted.items() if (size := x.shape[i]) is not None}
    axes = {i: axis for i, axis in axes.items() if not axis.is_identity}
    if (n.attr("mode") or "nearest") == "nearest":
        return _extrapolated(b, n, moved(b, [x], MOVABLE, lambda v: _nearest(b, n, v, axes)), axes)
    return carried(b, [x], ("float32",), lambda v: _extrapolated(b, n, _interpolated(b, n, v, axes), axes))


def _nearest(b: TFLiteBuilder, n: Op, x: Value, axes: dict[int, Axis]) -> Value:
    mode = n.attr("nearest_mode") or "round_prefer_floor"
    if x.dtype == np.float32 and _is_image(x, axes):
        for builtin in BUILTINS:
            if all(builtin.is_nearest(axis, mode) for axis in axes.values()):
                return _builtin(b, "RESIZE_NEAREST_NEIGHBOR", x, builtin, _lengths(axes))
    for i, axis in axes.items():
        x = Term(b, x).gather(nearest(axis, mode), i).value
    return x


def _interpolated(b: TFLiteBuilder, n: Op, x: Value, axes: dict[int, Axis]) -> Value:
    antialias = bool(n.attr("antialias", 0)) and any(axis.scale < 1 for axis in axes.values())
    linear = n.attr("mode") == "linear"
    if linear and not antialias and _is_image(x, axes):
        for builtin in BUILTINS:
            if all(builtin.is_linear(axis) for axis in axes.values()):
                return _builtin(b, "RESIZE_BILINEAR", x, builtin, _lengths(axes))
    kernel = LINEAR if linear else Kernel(2, n.attr("cubic_coeff_a", -0.75))
    exclude = bool(n.attr("exclude_outside", 0))
    for i, axis in axes.items():
        matrix = weights(axis, kernel, antialias=antialias, exclude_outside=exclude)
        x = _along(b, x, i, b.const(matrix))
    return x


def _along(b: TFLiteBuilder, x: Value, axis: int, matrix: Value) -> Value:
    """Multiplies along one axis by a matrix (outputs, inputs)."""
    perm = [*(i for i in range(x.rank) if i != axis), axis]
    y = fully_connected(b, b.transpose(x, perm), matrix)
    return b.transpose(y, [perm.index(i) for i in range(x.rank)])


def _lengths(axes: dict[int, Axis]) -> dict[int, Size]:
    return {i: axis.out for i, axis in axes.items()}


def _is_image(x: Value, axes: Collection[int]) -> bool:
    return x.rank == 4 and set(axes) <= {2, 3}


def _builtin(b: TFLiteBuilder, name: str, x: Value, builtin: Builtin, sizes: dict[int, Size]) -> Value:
    """Emits a RESIZE op for the axes 2 and 3 of (N, C, H, W)."""
    image = channels_last(b, x)
    height, width = (sizes.get(i) or size_of(b, x, i) for i in (2, 3))
    shape = (x.shape[0], *static([height, width]), x.shape[1])
    attrs = {"align_corners": builtin.align_corners, "half_pixel_centers": builtin.half_pixel_centers}
    return channels_first(b, b.op(name, [image, pack(b, [height, width])], attrs, dtype=x.dtype, shape=shape))


def _extrapolated(b: TFLiteBuilder, n: Op, x: Value, axes: dict[int, Axis]) -> Value:
    """Puts the extrapolation value where `tf_crop_and_resize` looks beyond the input."""
    inside = np.ones((1,) * x.rank, bool)
    for i, axis in axes.items():
        inside = inside & ~axis.outside().reshape([-1 if j == i else 1 for j in range(x.rank)])
    if inside.all():
        return x
    value = Term(b, b.scalar(n.attr("extrapolation_value", 0.0), x))
    return Term(b, b.const(inside)).where(Term(b, x), value).value


def _of_unknown_size(b: TFLiteBuilder, n: Op, x: Value, wanted: dict[int, Wanted]) -> Value:
    """Resizes by a builtin whose flags mean the same for every size."""
    mode = n.attr("mode") or "nearest"
    if x.dtype == np.float32 and _is_image(x, wanted) and not n.attr("antialias", 0) and mode != "cubic":
        nearest_mode = n.attr("nearest_mode") or "round_prefer_floor"
        sizes = {i: _new_size(b, x, i, w) for i, w in wanted.items()}
        for builtin in BUILTINS:
            if all(_fits_any_size(n, builtin, w, mode, nearest_mode) for w in wanted.values()):
                name = "RESIZE_BILINEAR" if mode == "linear" else "RESIZE_NEAREST_NEIGHBOR"
                return _builtin(b, name, x, builtin, sizes)
    return n.refuse(f"`{mode}` interpolation along an axis of a size known only at run time", code="EK305")


def _new_size(b: TFLiteBuilder, x: Value, axis: int, wanted: Wanted) -> Size:
    if wanted.out is not None:
        return wanted.out
    assert wanted.scale is not None
    return combine(b, "MUL", size_of(b, x, axis), int(wanted.scale))


def _fits_any_size(n: Op, builtin: Builtin, wanted: Wanted, mode: str, nearest_mode: str) -> bool:
    """Tells whether a builtin does the same for every input size.

    A power of two as scale is exact in float32, so a few sizes stand for all; where the length is
    given, both sides compute the ratio from the lengths, and only linear interpolation forgives
    the rounding.
    """
    if not (mode == "linear" if wanted.scale is None else wanted.scale in _POWERS):
        return False
    probes = [wanted.axis(n, size) for size in (1, 2, 3, 5, 8, 13)]
    if mode == "linear":
        return all(map(builtin.is_linear, probes))
    return all(builtin.is_nearest(probe, nearest_mode) for probe in probes)


_POWERS = (1, 2, 4, 8, 16, 32)
