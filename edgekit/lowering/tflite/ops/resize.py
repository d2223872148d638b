"""Resize: TFLite's RESIZE ops where they do the same, else index tables and weight matrices."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from edgekit.lowering.ledger import Value
from edgekit.lowering.op import Op
from edgekit.lowering.tflite.builder import TFLiteBuilder
from edgekit.lowering.tflite.formula import Term
from edgekit.lowering.tflite.kernels import carried
from edgekit.lowering.tflite.movement import moved
from edgekit.lowering.tflite.ops.matmul import fully_connected
from edgekit.lowering.tflite.resampling import BUILTINS, LINEAR, Axis, Builtin, Kernel, nearest, weights
from edgekit.lowering.tflite.sizes import Size, combine, pack, size_of, static
from edgekit.lowering.tflite.spatial import channels_first, channels_last
from edgekit.lowering.tflite.table import lowers

WHOLE = (0.0, 1.0)
"""The region of interest that is the whole axis."""
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


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a Resize node says of one axis.

    Attributes:
        scale: The ratio of the lengths, or `None` where the length is given.
        out: The length, or `None` where the ratio is given.
        coordinates: The coordinate transformation.
        roi: The region of interest.
    """

    scale: np.float32 | None
    out: int | None
    coordinates: str
    roi: tuple[float, float]

    def axis(self, n: Op, size: int) -> Axis:
        """Returns how an axis of a given length is resampled."""
        if self.scale is None:
            assert self.out is not None
            return Axis(size, self.out, np.float32(self.out) / np.float32(size), self.coordinates, self.roi)
        length = self.scale * np.float32(size)
        out = int(length) if self.out is None else self.out
        if out < 1:
            n.refuse("a result without elements")
        if self.out is None and length != out and self._depends_on_length(out):
            n.refuse(
                f"`{self.coordinates}` with a scale of {self.scale} for {size} elements: "
                "ONNX does not say whether the length is rounded before or after"
            )
        return Axis(size, out, self.scale, self.coordinates, self.roi)

    def _depends_on_length(self, out: int) -> bool:
        """Tells whether the coordinates depend on the length of the result, which is rounded."""
        if self.coordinates == "pytorch_half_pixel":
            return out == 1
        return self.coordinates in ("align_corners", "tf_crop_and_resize")


def read(n: Op) -> dict[int, Wanted]:
    """Reads scales, sizes, roi and the policy for each axis that may change.

    Source: ONNX operator schema of Resize.
    """
    x = n.operand(0)
    axes = [a % x.rank for a in n.attr("axes") or range(x.rank)]
    coordinates = n.attr("coordinate_transformation_mode") or "half_pixel"
    roi = [0.0] * len(axes) + [1.0] * len(axes)
    if coordinates == "tf_crop_and_resize":
        roi = n.known(1, "roi").reshape(-1).tolist()
    regions = list(zip(roi[: len(axes)], roi[len(axes) :], strict=True))
    if n.input(3) is None or n.operand(3).shape == (0,):
        scales = n.known(2, "scales").astype(np.float32)
        return {
            a: Wanted(s, None, coordinates, r)
            for a, s, r in zip(axes, scales, regions, strict=True)
            if s != 1 or r != WHOLE
        }
    sizes = _sizes(n, axes)
    if (n.attr("keep_aspect_ratio_policy") or "stretch") == "stretch":
        return {
            a: Wanted(None, s, coordinates, r)
            for a, s, r in zip(axes, sizes, regions, strict=True)
            if s is not None and (s != x.shape[a] or r != WHOLE)
        }
    return _keeping_ratio(n, axes, n.known(3, "sizes").tolist(), coordinates, regions)


def _sizes(n: Op, axes: Sequence[int]) -> list[int | None]:
    """Returns the new length of each axis; `None` for one that keeps a length known only at run time."""
    given = n.const(3)
    if given is not None:
        return [int(size) for size in given]
    before, after = n.node.inputs[0], n.node.outputs[0].shape
    if before is None or before.shape is None or after is None:
        n.refuse("`sizes` are computed at run time and their number is unknown", code="EK305")
    lengths: list[int | None] = []
    for a in axes:
        old, new = before.shape[a], after[a]
        if isinstance(new, int):
            lengths.append(new)
        elif old == new and getattr(new, "value", None) is not None:
            lengths.append(None)
        else:
            n.refuse(f"`sizes` are computed at run time, and inference does not find axis {a}", code="EK305")
    return lengths


def _keeping_ratio(
    n: Op, axes: Sequence[int], sizes: Sequence[int], coordinates: str, regions: Sequence[tuple[float, float]]
) -> dict[int, Wanted]:
    """One ratio for all axes, so that no length is exceeded (`not_larger`) or missed (`not_smaller`)."""
    before = [n.operand(0).shape[a] for a in axes]
    if None in before:
        n.refuse("`keep_aspect_ratio_policy` on a size known only at run time", code="EK305")
    ratios = [np.float32(s) / np.float32(d or 1) for s, d in zip(sizes, before, strict=True)]
    scale = min(ratios) if n.attr("keep_aspect_ratio_policy") == "not_larger" else max(ratios)
    lengths = [int(np.floor(scale * np.float32(d or 0) + np.float32(0.5))) for d in before]
    return {
        a: Wanted(scale, length, coordinates, r) for a, length, r in zip(axes, lengths, regions, strict=True)
    }


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
