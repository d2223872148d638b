"""Resampling of images as a matrix on each axis: kernel, antialiasing, coordinates, edges.

`weights` gives for each output pixel the share of each input pixel. A library's resize is a choice of the
four, and of how results are rounded; `stages/resize.py` has the table.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Kernel:
    """A filter of one axis.

    Attributes:
        support: Where it ends, in input pixels.
        at: Its value at a distance from its centre.
    """

    support: float
    at: Callable[[Floats], Floats]


def _box(x: Floats) -> Floats:
    return ((x > -0.5) & (x <= 0.5)).astype(np.float64)


def _triangle(x: Floats) -> Floats:
    return np.maximum(0.0, 1.0 - np.abs(x))


def _hamming(x: Floats) -> Floats:
    inside = np.abs(x) < 1
    return np.where(inside, np.sinc(x) * (0.54 + 0.46 * np.cos(np.pi * x)), 0.0)


def _cubic(a: float) -> Callable[[Floats], Floats]:
    """Keys, "Cubic convolution interpolation for digital image processing", 1981."""

    def at(x: Floats) -> Floats:
        d = np.abs(x)
        near = ((a + 2) * d - (a + 3)) * d * d + 1
        far = (((d - 5) * d + 8) * d - 4) * a
        return np.where(d < 1, near, np.where(d < 2, far, 0.0))

    return at


def _lanczos(lobes: int) -> Callable[[Floats], Floats]:
    def at(x: Floats) -> Floats:
        return np.where(np.abs(x) < lobes, np.sinc(x) * np.sinc(x / lobes), 0.0)

    return at


KERNELS: Mapping[str, Kernel] = {
    "box": Kernel(0.5, _box),
    "bilinear": Kernel(1.0, _triangle),
    "hamming": Kernel(1.0, _hamming),
    "bicubic": Kernel(2.0, _cubic(-0.5)),
    "bicubic-0.75": Kernel(2.0, _cubic(-0.75)),
    "lanczos": Kernel(3.0, _lanczos(3)),
    "lanczos4": Kernel(4.0, _lanczos(4)),
}


@dataclass(frozen=True, slots=True)
class Axis:
    """How one axis is resampled.

    Attributes:
        kernel: A key of `KERNELS`, `nearest`, or `area` (the exact overlap of pixels).
        antialias: Whether the kernel is widened when shrinking.
        coordinates: `half_pixel`, `align_corners` or `asymmetric`; ONNX Resize has the formulas.
        edge: What becomes of taps outside the image: `clamp` gives them to the border pixel, `renormalise`
            drops them and scales the others.
    """

    kernel: str = "bilinear"
    antialias: bool = True
    coordinates: str = "half_pixel"
    edge: str = "renormalise"


@lru_cache(maxsize=256)
def weights(source: int, target: int, axis: Axis) -> Floats:
    """Returns the shares of `source` pixels in each of `target` pixels, of shape [target, source].

    Each row sums to 1. The array is shared: do not change it.
    """
    if axis.kernel == "area":
        matrix = _overlap(source, target)
    elif axis.kernel == "nearest":
        matrix = np.eye(source)[_nearest(source, target, axis.coordinates)]
    else:
        matrix = _filtered(source, target, axis)
    matrix.setflags(write=False)
    return matrix


def centres(source: int, target: int, coordinates: str) -> Floats:
    """Returns where each output pixel lies, from the edge of the first input pixel; its centre is at 0.5."""
    index = np.arange(target, dtype=np.float64)
    scale = source / target
    if coordinates == "half_pixel":
        return (index + 0.5) * scale
    if coordinates == "asymmetric":
        return index * scale + 0.5
    return index * ((source - 1) / (target - 1) if target > 1 else 0.0) + 0.5


def _nearest(source: int, target: int, coordinates: str) -> NDArray[np.int64]:
    at = centres(source, target, coordinates)
    rounded = np.floor(at - 0.5) if coordinates == "asymmetric" else np.floor(at)
    return np.clip(rounded, 0, source - 1).astype(np.int64)


def _filtered(source: int, target: int, axis: Axis) -> Floats:
    kernel = KERNELS[axis.kernel]
    widen = max(source / target, 1.0) if axis.antialias else 1.0
    reach = int(np.ceil(kernel.support * widen)) + 1
    centre = centres(source, target, axis.coordinates)
    taps = np.floor(centre).astype(np.int64)[:, None] + np.arange(-reach, reach + 1)
    share = kernel.at((taps - centre[:, None] + 0.5) * (1.0 / widen))
    if axis.edge == "renormalise":  # as Pillow bounds its windows; ties of `box` depend on it
        low, high = (np.trunc(centre + sign * kernel.support * widen + 0.5) for sign in (-1, 1))
        share = np.where((taps < low[:, None]) | (taps >= high[:, None]), 0.0, share)
    outside = (taps < 0) | (taps >= source)
    if axis.edge == "renormalise":
        share = np.where(outside, 0.0, share)
    matrix = np.zeros((target, source))
    rows = np.broadcast_to(np.arange(target)[:, None], taps.shape)
    np.add.at(matrix, (rows, np.clip(taps, 0, source - 1)), share)
    normed: Floats = matrix / matrix.sum(axis=1, keepdims=True)
    return normed


def _overlap(source: int, target: int) -> Floats:
    edges = np.linspace(0, source, target + 1)
    low = np.maximum(edges[:-1, None], np.arange(source))
    high = np.minimum(edges[1:, None], np.arange(1, source + 1))
    shares = np.maximum(0.0, high - low)
    normed: Floats = shares / shares.sum(axis=1, keepdims=True)
    return normed


_GROUP = 16
"""Output pixels that are computed together: few enough that their windows do not grow much beyond one's."""


def along(matrix: Floats, image: NDArray[Any], axis: int) -> Floats:
    """Multiplies one axis of an image with a matrix whose rows are windows.

    Args:
        matrix: Shape [target, source]; only the windows are visited.
        image: Shape [height, width, channels].
        axis: 0 or 1, of size `source`.
    """
    shape = list(image.shape)
    shape[axis] = matrix.shape[0]
    result = np.zeros(shape)
    for begin in range(0, matrix.shape[0], _GROUP):
        rows = matrix[begin : begin + _GROUP]
        used = np.flatnonzero(rows.any(axis=0))
        if not used.size:
            continue
        window = slice(used[0], used[-1] + 1)
        taken = image[window] if axis == 0 else image[:, window]
        product = np.tensordot(rows[:, window], taken.astype(np.float64), (1, axis))
        group = slice(begin, begin + len(rows))
        if axis == 0:
            result[group] = product
        else:
            result[:, group] = product.swapaxes(0, 1)
    return result
