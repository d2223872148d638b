"""Resize: MIL's own ops where they do the same, else index tables and weight matrices."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgekit.lowering.coreml.builder import CoreMlBuilder
from edgekit.lowering.coreml.formula import Term
from edgekit.lowering.coreml.movement import take
from edgekit.lowering.coreml.table import lowers
from edgekit.lowering.ledger import Value
from edgekit.lowering.op import Op
from edgekit.lowering.resampling import LINEAR, Axis, Kernel, nearest, weights
from edgekit.lowering.resizing import Wanted, read

_MODES = ("UNALIGN_CORNERS", "STRICT_ALIGN_CORNERS", "DEFAULT")


@lowers("Resize", since=19)
def resize(b: CoreMlBuilder, n: Op) -> Value:
    """Resize -> upsample_nearest_neighbor, resize_bilinear; else gather or matmul per axis."""
    x, wanted = n.operand(0), read(n)
    mode = n.attr("mode") or "nearest"
    if any(x.shape[i] is None for i in wanted):
        return _of_unknown_size(b, n, x, wanted, mode)
    axes = {i: w.axis(n, size) for i, w in wanted.items() if (size := x.shape[i]) is not None}
    axes = {i: axis for i, axis in axes.items() if not axis.is_identity}
    if mode == "nearest":
        return _extrapolated(b, n, _nearest(b, n, x, axes), axes)
    if x.dtype.kind != "f":
        n.refuse(f"interpolation of {x.dtype.name}; ONNX does not say how it is rounded", code="EK303")
    return _extrapolated(b, n, _interpolated(b, n, x, axes), axes)


def _nearest(b: CoreMlBuilder, n: Op, x: Value, axes: dict[int, Axis]) -> Value:
    tables = {i: nearest(axis, n.attr("nearest_mode") or "round_prefer_floor") for i, axis in axes.items()}
    factors = {i: a.out // a.size for i, a in axes.items()}
    repeats = all(
        np.array_equal(t, np.repeat(np.arange(axes[i].size), factors[i])) for i, t in tables.items()
    )
    if repeats and axes and x.dtype.kind == "f" and x.rank == 4 and set(axes) <= {2, 3}:
        return _repeat(b, x, factors)
    for i, table in tables.items():
        x = take(b, x, table, i)
    return x


def _repeat(b: CoreMlBuilder, x: Value, factors: dict[int, int]) -> Value:
    return b.op(
        "upsample_nearest_neighbor",
        x=x,
        scale_factor_height=factors.get(2, 1),
        scale_factor_width=factors.get(3, 1),
    )


def _interpolated(b: CoreMlBuilder, n: Op, x: Value, axes: dict[int, Axis]) -> Value:
    antialias = bool(n.attr("antialias", 0)) and any(axis.scale < 1 for axis in axes.values())
    linear = n.attr("mode") == "linear"
    if linear and not antialias and x.rank == 4 and set(axes) <= {2, 3}:
        both = {i: axes.get(i) or Axis(x.shape[i] or 1, x.shape[i] or 1, np.float32(1)) for i in (2, 3)}
        for mode in _MODES:
            if all(_places_alike(mode, axis) for axis in axes.values()):
                return b.op(
                    "resize_bilinear",
                    x=x,
                    target_size_height=both[2].out,
                    target_size_width=both[3].out,
                    sampling_mode=mode,
                )
    kernel = LINEAR if linear else Kernel(2, n.attr("cubic_coeff_a", -0.75))
    exclude = bool(n.attr("exclude_outside", 0))
    for i, axis in axes.items():
        x = _along(b, x, i, weights(axis, kernel, antialias=antialias, exclude_outside=exclude))
    return x


def _places_alike(mode: str, axis: Axis) -> bool:
    """Tells whether MIL's bilinear resize places each output where the axis says.

    Source: coremltools, documentation of the MIL op `resize_bilinear`.
    """
    y, high = np.arange(axis.out, dtype=np.float64), axis.size - 1
    if mode == "UNALIGN_CORNERS":
        theirs = (y + 0.5) * axis.size / axis.out - 0.5
    elif axis.out == 1:
        return False  # MIL takes the middle or the start, depending on the mode
    elif mode == "STRICT_ALIGN_CORNERS":
        theirs = y * high / (axis.out - 1)
    else:
        theirs = y * axis.size / axis.out
    ours = np.clip(axis.positions(), 0, high)
    tolerance = 4 * np.finfo(np.float32).eps * axis.size
    return bool(np.all(np.abs(np.clip(theirs, 0, high) - ours) <= tolerance))


def _along(b: CoreMlBuilder, x: Value, axis: int, matrix: NDArray[np.float32]) -> Value:
    """Multiplies along one axis by a matrix (outputs, inputs)."""
    last = x.rank - 1
    perm = [*(i for i in range(x.rank) if i != axis), axis]
    rows = b.transpose(x, perm)
    rows = rows if rows.rank > 1 else b.expand_dims(rows, [0])
    y = b.op("matmul", x=rows, y=b.const(matrix.T.astype(x.dtype)))
    y = y if x.rank > 1 else b.squeeze(y, [0])
    return b.transpose(y, [perm.index(i) for i in range(last + 1)])


def _extrapolated(b: CoreMlBuilder, n: Op, x: Value, axes: dict[int, Axis]) -> Value:
    """Puts the extrapolation value where `tf_crop_and_resize` looks beyond the input."""
    inside = np.ones((1,) * x.rank, bool)
    for i, axis in axes.items():
        inside = inside & ~axis.outside().reshape([-1 if j == i else 1 for j in range(x.rank)])
    if inside.all():
        return x
    return Term(b, b.const(inside)).where(Term(b, x), n.attr("extrapolation_value", 0.0)).value


def _of_unknown_size(b: CoreMlBuilder, n: Op, x: Value, wanted: dict[int, Wanted], mode: str) -> Value:
    """Repeats or interpolates by whole factors, which mean the same for every size."""
    factors = {i: w.scale for i, w in wanted.items()}
    whole = all(f is not None and f == int(f) for f in factors.values())
    if x.dtype.kind != "f" or x.rank != 4 or not set(wanted) <= {2, 3} or not whole or n.attr("antialias", 0):
        n.refuse(f"`{mode}` interpolation along an axis of a size known only at run time", code="EK305")
    known = {i: int(f) for i, f in factors.items() if f is not None}
    probes = [(i, w.axis(n, size)) for i, w in wanted.items() for size in (1, 2, 3, 5, 8, 13)]
    if mode == "nearest":
        rule = n.attr("nearest_mode") or "round_prefer_floor"
        if all(np.array_equal(nearest(a, rule), np.repeat(np.arange(a.size), known[i])) for i, a in probes):
            return _repeat(b, x, known)
    if mode == "linear" and all(_places_alike("UNALIGN_CORNERS", a) for _, a in probes):
        return b.op(
            "upsample_bilinear",
            x=x,
            scale_factor_height=known.get(2, 1),
            scale_factor_width=known.get(3, 1),
            align_corners=False,
        )
    return n.refuse(f"`{mode}` interpolation along an axis of a size known only at run time", code="EK305")
