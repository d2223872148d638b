"""Pooling over sliding windows and over whole images."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from edgekit.lowering.coreml.builder import CoreMlBuilder
from edgekit.lowering.coreml.formula import Term
from edgekit.lowering.coreml.movement import cut, pad_or_crop
from edgekit.lowering.coreml.pool_index import maximum_and_index
from edgekit.lowering.coreml.table import lowers
from edgekit.lowering.coreml.window import Window, pads_of, windows
from edgekit.lowering.ledger import Value
from edgekit.lowering.op import Op

Slides = Sequence[Window]


@lowers("MaxPool", since=22)
def max_pool(b: CoreMlBuilder, n: Op) -> Value | tuple[Value, Value]:
    """MaxPool -> max_pool; dilated windows, and indices of maxima -> comparison of strided slices."""
    x = n.operand(0)
    slides = windows(n, n.attr("kernel_shape"), x.shape[2:])
    if n.is_used(1):
        if _is_all_pad(slides):
            n.refuse("the index of a maximum in a window that lies on pads alone")
        best, index = maximum_and_index(b, n, b.cast(x, np.float32) if x.dtype.kind in "iu" else x, slides)
        return b.cast(best, x.dtype), index
    return b.cast(_maximum(b, n, b.cast(x, np.float32) if x.dtype.kind in "iu" else x, slides), x.dtype)


def _maximum(b: CoreMlBuilder, n: Op, x: Value, slides: Slides) -> Value:
    if all(w.dilation == 1 for w in slides) and not _is_all_pad(slides):
        return _pool(b, n, "max_pool", x, slides)
    low = b.number(-math.inf, x)
    padded = pad_or_crop(b, x, [(0, 0), (0, 0), *((w.begin, w.reached_end) for w in slides)], fill=low)
    for axis, w in enumerate(slides, 2):
        if w.count is None:
            n.refuse("dilated windows on a size known only at run time", code="EK305")
        stop = (w.count - 1) * w.stride + 1
        taps = [
            cut(b, padded, axis, k * w.dilation, k * w.dilation + stop, w.stride) for k in range(w.kernel)
        ]
        padded = reduce(lambda p, q: b.binary("maximum", p, q), taps)
    return padded


def _is_all_pad(slides: Slides) -> bool:
    """Tells whether a window may lie on pads alone."""
    return any(w.begin >= w.kernel or w.reached_end >= w.kernel for w in slides)


def _pool(b: CoreMlBuilder, n: Op, op: str, x: Value, slides: Slides, **params: object) -> Value:
    if not 3 <= x.rank <= 5:
        n.refuse(f"an input of rank {x.rank}; Core ML takes 3, 4 or 5")
    if any(w.ceil and w.size is None for w in slides):
        n.refuse("`ceil_mode` on a size known only at run time", code="EK305")
    return b.op(
        op,
        x=x,
        kernel_sizes=[w.kernel for w in slides],
        strides=[w.stride for w in slides],
        pad_type="custom",
        pad=pads_of(slides),
        **params,
    )


@lowers("AveragePool", since=22)
def average_pool(b: CoreMlBuilder, n: Op) -> Value:
    """AveragePool -> avg_pool, rescaled where MIL divides by another count; dilated -> strided slices."""
    x = n.operand(0)
    slides = windows(n, n.attr("kernel_shape"), x.shape[2:])
    include = bool(n.attr("count_include_pad", 0))
    if all(w.dilation == 1 for w in slides):
        if not include and not _is_all_pad(slides):
            return _pool(b, n, "avg_pool", x, slides, exclude_padding_from_average=True)
        if include and all(w.reached_end == w.end for w in slides):
            return _pool(b, n, "avg_pool", x, slides, exclude_padding_from_average=False)
    total = _sum(b, n, x, slides)
    return (total / Term(b, b.const(_counts(n, slides, include), x.dtype))).value


def _counts(n: Op, slides: Slides, include: bool) -> NDArray[np.float64]:
    """Returns how many taps count in each window, with axes for batch and channels."""
    counts: NDArray[np.float64] = np.ones((1, 1, *(1 for _ in slides)))
    for axis, w in enumerate(slides, 2):
        if w.size is None:
            n.refuse("such a window on a size known only at run time", code="EK305")
        shape = [-1 if i == axis else 1 for i in range(counts.ndim)]
        counts = counts * np.maximum(w.taps(pads=include), 1).reshape(shape)
    return counts


def _sum(b: CoreMlBuilder, n: Op, x: Value, slides: Slides) -> Term:
    """Sums the taps of each window; axis by axis, for they are independent."""
    padded = pad_or_crop(b, x, [(0, 0), (0, 0), *((w.begin, w.reached_end) for w in slides)])
    if all(w.dilation == 1 for w in slides):
        bare = [Window(w.kernel, w.stride, 1, 0, 0, s) for w, s in zip(slides, padded.shape[2:], strict=True)]
        mean = _pool(b, n, "avg_pool", padded, bare, exclude_padding_from_average=False)
        return Term(b, mean) * math.prod(w.kernel for w in slides)
    for axis, w in enumerate(slides, 2):
        if w.count is None:
            n.refuse("dilated windows on a size known only at run time", code="EK305")
        stop = (w.count - 1) * w.stride + 1
        taps = [
            cut(b, padded, axis, k * w.dilation, k * w.dilation + stop, w.stride) for k in range(w.kernel)
        ]
        padded = reduce(lambda p, q: b.binary("add", p, q), taps)
    return Term(b, padded)


@lowers("LpPool", since=22)
def lp_pool(b: CoreMlBuilder, n: Op) -> Value:
    """LpPool -> the p-th root of the sum of p-th powers; the sum is a scaled mean."""
    slides = windows(n, n.attr("kernel_shape"), n.operand(0).shape[2:])
    return _norm(b, n, lambda powers: _sum(b, n, powers.value, slides))


@lowers("GlobalLpPool", since=22)
def global_lp_pool(b: CoreMlBuilder, n: Op) -> Value:
    """GlobalLpPool -> the p-th root of the sum of p-th powers."""
    return _norm(b, n, lambda powers: powers.reduce("reduce_sum", range(2, len(powers.shape))))


def _norm(b: CoreMlBuilder, n: Op, total: Callable[[Term], Term]) -> Value:
    p, size = int(n.attr("p", 2)), Term(b, n.operand(0)).abs()
    if p == 1:
        return total(size).value
    if p == 2:
        return total(size * size).sqrt().value
    return total(size.power(p)).power(1 / p).value


@lowers("GlobalAveragePool", "GlobalMaxPool", since=22)
def global_pool(b: CoreMlBuilder, n: Op) -> Value:
    """GlobalAveragePool, GlobalMaxPool -> reduce_mean, reduce_max."""
    x = n.operand(0)
    op = "reduce_mean" if n.type == "GlobalAveragePool" else "reduce_max"
    return b.reduce(op, x, range(2, x.rank), keep=True)
