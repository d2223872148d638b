"""Pooling over sliding windows and over whole images."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from edgekit.lowering.ledger import Value
from edgekit.lowering.op import Op
from edgekit.lowering.tflite import sizes as sz
from edgekit.lowering.tflite.builder import TFLiteBuilder
from edgekit.lowering.tflite.formula import Term, constant
from edgekit.lowering.tflite.kernels import carried, carrier
from edgekit.lowering.tflite.pool_index import maximum_and_index
from edgekit.lowering.tflite.spatial import (
    channels_first,
    channels_last,
    drop_axis,
    insert_axis,
    pad,
    padded,
    tap,
)
from edgekit.lowering.tflite.table import lowers
from edgekit.lowering.tflite.window import Window, windows

Slides = Sequence[Window]


@lowers("MaxPool", since=22)
def max_pool(b: TFLiteBuilder, n: Op) -> Value | tuple[Value, Value]:
    """MaxPool -> MAX_POOL_2D; dilated and 3-D windows -> MAXIMUM of strided slices."""
    x = n.operand(0)
    slides = windows(n, n.attr("kernel_shape"), x.shape[2:])
    real = b.cast(x, np.float32) if x.dtype.name in ("int8", "uint8") else x
    if n.is_used(1):
        wide = b.cast(real, carrier(real.dtype, ("float32",)))
        best, indices = maximum_and_index(b, n, wide, slides)
        return b.cast(best, x.dtype), indices
    return b.cast(carried(b, [real], ("float32",), lambda v: _maximum(b, v, slides)), x.dtype)


@lowers("AveragePool", since=22)
def average_pool(b: TFLiteBuilder, n: Op) -> Value:
    """AveragePool -> AVERAGE_POOL_2D, rescaled where TFLite divides by another count."""
    x = n.operand(0)
    slides = windows(n, n.attr("kernel_shape"), x.shape[2:])
    include = bool(n.attr("count_include_pad", 0))

    def average(v: Value) -> Value:
        if not include and _is_image(v, slides) and all(w.is_same for w in slides):
            return _pool2d(b, "AVERAGE_POOL_2D", v, slides)
        mean = Term(b, _mean(b, v, slides))
        if all(_counts_all(w, include) for w in slides):
            return mean.value
        if all(w.size is not None for w in slides):
            return (mean * constant(b, _recount(slides, include))).value
        if include:
            n.refuse("`ceil_mode` with counted pads on a size known only at run time", code="EK305")
        return (mean / Term(b, _mean(b, _ones(b, v), slides))).value

    return carried(b, [x], ("float32",), average)


def _counts_all(w: Window, include: bool) -> bool:
    """Tells whether every tap counts in the mean, wherever it lies."""
    return not w.is_padded or (include and not w.ceil and not w.same)


def _recount(slides: Slides, include: bool) -> NDArray[np.float64]:
    """Returns taps / counted taps of each window, with an axis for batch and channels."""
    factor: NDArray[np.float64] = np.ones((1, 1, *(1 for _ in slides)))
    for axis, w in enumerate(slides, 2):
        shape = [-1 if i == axis else 1 for i in range(factor.ndim)]
        factor = factor * (w.kernel / np.maximum(w.counts(pads=include), 1)).reshape(shape)
    return factor


def _ones(b: TFLiteBuilder, x: Value) -> Value:
    """Returns one image of ones of the size of `x`; the mean over zeros around it counts the taps."""
    sizes = [1, 1, *sz.sizes_of(b, x)[2:]]
    operands = [sz.pack(b, sizes), constant(b, 1).value]
    return b.op("FILL", operands, dtype=np.float32, shape=sz.static(sizes))


@lowers("LpPool", since=22)
def lp_pool(b: TFLiteBuilder, n: Op) -> Value:
    """LpPool -> the p-th root of the sum of p-th powers; the sum is a scaled mean."""
    slides = windows(n, n.attr("kernel_shape"), n.operand(0).shape[2:])
    taps = math.prod(w.kernel for w in slides)
    return _norm(b, n, lambda powers: Term(b, _mean(b, powers.value, slides)) * taps)


@lowers("GlobalLpPool", since=22)
def global_lp_pool(b: TFLiteBuilder, n: Op) -> Value:
    """GlobalLpPool -> the p-th root of the SUM of p-th powers."""
    axes = range(2, n.operand(0).rank)
    return _norm(b, n, lambda powers: powers.reduce("SUM", axes))


def _norm(b: TFLiteBuilder, n: Op, total: Callable[[Term], Term]) -> Value:
    p = n.attr("p", 2)

    def norm(x: Value) -> Value:
        size = Term(b, x).abs()
        if p == 1:
            return total(size).value
        if p == 2:
            return total(size * size).sqrt().value
        return total(size.power(p)).power(1 / p).value

    return carried(b, [n.operand(0)], ("float32",), norm)


@lowers("GlobalAveragePool", since=22)
def global_average_pool(b: TFLiteBuilder, n: Op) -> Value:
    """GlobalAveragePool -> MEAN over the spatial axes."""
    return carried(b, [n.operand(0)], ("float32",), lambda x: _over_space(b, x, "MEAN"))


@lowers("GlobalMaxPool", since=22)
def global_max_pool(b: TFLiteBuilder, n: Op) -> Value:
    """GlobalMaxPool -> REDUCE_MAX over the spatial axes."""
    return carried(b, [n.operand(0)], ("float32",), lambda x: _over_space(b, x, "REDUCE_MAX"))


def _over_space(b: TFLiteBuilder, x: Value, name: str) -> Value:
    return Term(b, x).reduce(name, range(2, x.rank)).value


def _is_image(x: Value, slides: Slides) -> bool:
    """Tells whether TFLite's 2-D pooling ops apply: one or two axes, no dilation."""
    return x.rank <= 4 and all(w.dilation == 1 for w in slides)


def _maximum(b: TFLiteBuilder, x: Value, slides: Slides) -> Value:
    lowest = constant(b, -np.inf).value
    if _is_image(x, slides):
        return _pool2d(b, "MAX_POOL_2D", x, slides, lowest)
    return _by_axis(b, x, slides, Term.maximum, lowest)


def _mean(b: TFLiteBuilder, x: Value, slides: Slides) -> Value:
    """Averages all taps of each window; those beyond the axis are zeros."""
    if _is_image(x, slides):
        return _pool2d(b, "AVERAGE_POOL_2D", x, slides, same=False)
    taps = math.prod(w.kernel for w in slides)
    return (Term(b, _by_axis(b, x, slides, Term.__add__)) * (1 / taps)).value


def _pool2d(
    b: TFLiteBuilder, name: str, x: Value, slides: Slides, fill: Value | None = None, *, same: bool = True
) -> Value:
    if x.rank == 3:
        lifted = _pool2d(b, name, insert_axis(b, x, 2), (Window(1, size=1), *slides), fill, same=same)
        return drop_axis(b, lifted, 2)
    image, scheme = padded(b, channels_last(b, x), slides, fill, same=same)
    tall, wide = slides
    attrs = {
        "padding": scheme,
        "stride_h": tall.stride,
        "stride_w": wide.stride,
        "filter_height": tall.kernel,
        "filter_width": wide.kernel,
        "fused_activation_function": "NONE",
    }
    return channels_first(b, b.op(name, [image], attrs))


def _by_axis(
    b: TFLiteBuilder,
    x: Value,
    slides: Slides,
    combine: Callable[[Term, Term], Term],
    fill: Value | None = None,
) -> Value:
    """Combines the taps along one axis after the other; exact where the order does not matter."""
    for axis, slide in enumerate(slides):
        along = [slide if i == axis else Window(1, size=size) for i, size in enumerate(x.shape[2:])]
        ready = pad(b, x, [(0, 0), (0, 0), *(w.pads for w in along)], fill)
        at = [[t if i == axis else 0 for i in range(len(slides))] for t in range(slide.kernel)]
        x = functools.reduce(combine, (Term(b, tap(b, ready, along, t)) for t in at)).value
    return x
