"""Pooling."""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np

from edgekit.runners.mil_reference.ops.windows import Windows, windows
from edgekit.runners.mil_reference.refusal import claim, require
from edgekit.runners.mil_reference.table import Ints, Real, evaluates
from edgekit.runners.mil_reference.types import Array


@evaluates("max_pool")
def max_pool(
    x: Real,
    kernel_sizes: Ints,
    pad_type: str,
    strides: Ints | None = None,
    pad: Ints | None = None,
    ceil_mode: bool = False,
) -> Array:
    """Takes the largest of each window; padding never is."""
    w = _windows(x, kernel_sizes, strides, pad_type, pad, ceil_mode)
    return _folded(_padded(x, w, np.float32(-np.inf)), w, np.maximum)


@evaluates("avg_pool")
def avg_pool(
    x: Real,
    kernel_sizes: Ints,
    pad_type: str,
    strides: Ints | None = None,
    pad: Ints | None = None,
    exclude_padding_from_average: bool = False,
    ceil_mode: bool = False,
) -> Array:
    """Averages each window. What of a last window lies beyond the padding never counts."""
    w = _windows(x, kernel_sizes, strides, pad_type, pad, ceil_mode)
    inside = np.ones((1, 1, *x.shape[2:]), np.float32)
    if not exclude_padding_from_average:
        edges = [(0, 0), (0, 0), *zip(w.before, w.after, strict=True)]
        inside = np.pad(inside, edges, constant_values=1)
        counted = Windows(
            w.kernel, w.strides, w.dilations, (0,) * len(w.kernel), (0,) * len(w.kernel), w.counts
        )
        return _sums(x, w) / _sums(inside, counted)
    return _sums(x, w) / _sums(inside, w)


@evaluates("l2_pool")
def l2_pool(
    x: Real,
    kernel_sizes: Ints,
    pad_type: str,
    strides: Ints | None = None,
    pad: Ints | None = None,
    ceil_mode: bool = False,
) -> Array:
    """Takes the root of the sum of squares of each window."""
    require(x.ndim <= 4, f"it takes 1 or 2 spatial axes, not {x.ndim - 2}")
    w = _windows(x, kernel_sizes, strides, pad_type, pad, ceil_mode)
    return np.asarray(np.sqrt(_sums(np.square(x), w)))


def _windows(
    x: Array, kernel: Ints, strides: Ints | None, pad_type: str, pad: Ints | None, ceil_mode: bool
) -> Windows:
    require(3 <= x.ndim <= 5, f"x has the rank {x.ndim}")
    w = windows(x.shape[2:], kernel, strides, pad_type, pad, ceil_mode=ceil_mode)
    claim((*x.shape[:2], *w.counts))
    return w


def _sums(x: Array, w: Windows) -> Array:
    return _folded(_padded(x, w, np.float32(0)), w, np.add)


def _folded(x: Array, w: Windows, combine: Callable[[Array, Array], Array]) -> Array:
    """Combines the elements of each window, one axis after the other."""
    for axis, (kernel, stride, count) in enumerate(zip(w.kernel, w.strides, w.counts, strict=True), 2):
        before = (slice(None),) * axis
        lines = (x[(*before, slice(t, t + (count - 1) * stride + 1, stride))] for t in range(kernel))
        x = functools.reduce(combine, lines)
    return x


def _padded(x: Array, w: Windows, value: np.float32) -> Array:
    """Pads as far as the last window reaches."""
    edges = [(0, 0), (0, 0)]
    for size, before, kernel, stride, count in zip(
        x.shape[2:], w.before, w.kernel, w.strides, w.counts, strict=True
    ):
        edges.append((before, max((count - 1) * stride + kernel - before - size, 0)))
    return np.pad(x, edges, constant_values=value)
