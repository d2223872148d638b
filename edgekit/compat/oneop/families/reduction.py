"""Reductions along axes, positions of extremes, and resizing."""

from __future__ import annotations

import numpy as np

from edgekit.compat.oneop.draw import Draw
from edgekit.compat.oneop.families.elementwise import shape_of
from edgekit.compat.oneop.model import Meaningless, constant, feature_map, steering
from edgekit.compat.oneop.table import family
from edgekit.lowering.ledger import Emitted, Value

_DTYPES = ("int16", "uint8", "float32", "int32")


@family("MEAN", "SUM", "REDUCE_MAX", "REDUCE_MIN", "REDUCE_PROD", "REDUCE_ANY", "REDUCE_ALL")
def reduction(draw: Draw, name: str) -> Emitted:
    """A reduction along one or more axes."""
    truth = name in ("REDUCE_ANY", "REDUCE_ALL")
    dtype = "bool" if truth else draw.one_of("dtype", "int8", *_DTYPES)
    rank = draw.often("rank", 4, 4, 3, 2, 1, 5)
    sizes = (
        draw.one_of("outer", 1, 2),
        draw.one_of("batch", 1, 2),
        draw.size("height", 7, 100, near=(1, 64, 4096)),
        draw.size("width", 7, 100, near=(1, 64, 4096)),
        draw.size("channels", 16, 100, near=(1, 4096)),
    )
    shape = sizes[len(sizes) - rank :]
    picks = draw.often("axes", (-3, -2), (-1,), (-2,), (-3,), (-3, -2, -1), (0,), (1,), (1, 2))
    axes = tuple(dict.fromkeys(a % rank for a in picks if -rank <= a < rank))
    if not axes:
        raise Meaningless("the rank has no such axis")
    keep = draw.often("keep_dims", True, False)
    result = [1 if i in axes else d for i, d in enumerate(shape) if keep or i not in axes]
    counted = draw.one_of("counted", "from the start", "from the end") == "from the start"
    given = axes if counted else tuple(a - rank for a in axes)
    ifm = feature_map(draw, shape, dtype=dtype, name="ifm")
    ofm = feature_map(draw, result, dtype=dtype, name="ofm")
    return Emitted(
        name, (ifm, steering(draw, np.asarray(given, "int32"), "axes")), (ofm,), {"keep_dims": keep}
    )


@family("ARG_MAX", "ARG_MIN")
def arg_extreme(draw: Draw, name: str) -> Emitted:
    """Where the largest element is."""
    dtype = draw.one_of("dtype", "int8", *_DTYPES)
    shape = shape_of(draw, near=(127, 128), high=200)
    if not shape:
        raise Meaningless("a scalar has no axis")
    axis = draw.often("axis", -1, -1, -1, 1, 0)
    if not -len(shape) <= axis < len(shape):
        raise Meaningless("the rank has no such axis")
    at = axis if not draw.often("counted_from_start", False, True) else axis % len(shape)
    kind = np.dtype(draw.often("out", "int32", "int64"))
    result = tuple(d for i, d in enumerate(shape) if i != axis % len(shape))
    ifm = feature_map(draw, shape, dtype=dtype, name="ifm")
    return Emitted(name, (ifm, constant(at)), (Value(kind, result),), {"output_type": kind})


@family("RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR")
def resize(draw: Draw, name: str) -> Emitted:
    """Another size; mostly by a factor, with all ways of counting coordinates."""
    dtype = draw.one_of("dtype", "int8", *_DTYPES)
    height, width = draw.size("height", 6, 20, near=(1, 2)), draw.size("width", 6, 20, near=(1, 2))
    align, half = draw.often("align_corners", False, True), draw.often("half_pixel_centers", False, True)
    factor = draw.often("factor", 2, 1, 3, 4, 8, 16, 0.5)
    other = draw.one_of("other_factor", factor, 1, 2, 4)
    result = [_resized(height, factor, align), _resized(width, other, align)]
    if draw.one_of("odd", False, True):
        result[1] += 1
    batch, channels = draw.one_of("batch", 1, 2), draw.size("channels", 8, 64, near=(16,))
    ifm = feature_map(draw, (batch, height, width, channels), dtype=dtype, name="ifm")
    ofm = feature_map(draw, (batch, *result, channels), dtype=dtype, name="ofm")
    attrs = {"align_corners": align, "half_pixel_centers": half}
    return Emitted(name, (ifm, steering(draw, result, "size")), (ofm,), attrs)


def _resized(size: int, factor: float, align: bool) -> int:
    made = (size - 1) * factor + 1 if align else size * factor
    return max(1, int(made))
