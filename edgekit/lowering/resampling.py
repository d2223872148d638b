"""Resampling along one axis as an index table or a weight matrix.

Source of the formulas: ONNX operator schema of Resize (coordinate transformations, nearest modes,
cubic coefficients). They are evaluated in float32 as ONNX Runtime does, so that ties fall alike.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
ONE, HALF = np.float32(1), np.float32(0.5)


@dataclass(frozen=True, slots=True)
class Axis:
    """How one axis is resampled.

    Attributes:
        size: Elements before.
        out: Elements after.
        scale: Nominal ratio of the lengths.
        coordinates: ONNX's `coordinate_transformation_mode`.
        roi: Start and end of the region of interest, for `tf_crop_and_resize`.
    """

    size: int
    out: int
    scale: np.float32
    coordinates: str = "half_pixel"
    roi: tuple[float, float] = (0.0, 1.0)

    @property
    def is_identity(self) -> bool:
        """Tells whether nothing is resampled."""
        return self.size == self.out and self.scale == 1 and self.roi == (0.0, 1.0)

    def positions(self) -> Floats:
        """Returns where each output lies on the input's axis.

        Raises:
            ValueError: For an unknown coordinate transformation.
        """
        x = np.arange(self.out, dtype=np.float32)
        size, out, scale = np.float32(self.size), np.float32(self.out), self.scale
        match self.coordinates:
            case "half_pixel":
                return (x + HALF) / scale - HALF
            case "half_pixel_symmetric":
                offset = size / 2 * (ONE - out / (scale * size))
                return offset + (x + HALF) / scale - HALF
            case "pytorch_half_pixel":
                return (x + HALF) / scale - HALF if self.out > 1 else np.zeros(self.out, np.float32)
            case "asymmetric":
                return x / scale
            case "align_corners":
                return x * (size - 1) / (out - 1) if self.out > 1 else np.zeros(self.out, np.float32)
            case "tf_crop_and_resize":
                start, end = np.float32(self.roi[0]), np.float32(self.roi[1])
                if self.out > 1:
                    return start * (size - 1) + x * (end - start) * (size - 1) / (out - 1)
                return np.full(self.out, HALF * (start + end) * (size - 1), np.float32)
        raise ValueError(self.coordinates)

    def outside(self) -> NDArray[np.bool_]:
        """Returns which outputs `tf_crop_and_resize` extrapolates."""
        x = self.positions()
        if self.coordinates != "tf_crop_and_resize":
            return np.zeros(x.shape, bool)
        return (x < 0) | (x > self.size - 1)


def nearest(axis: Axis, mode: str) -> NDArray[np.int32]:
    """Returns the input index that each output takes.

    Args:
        axis: How the axis is resampled.
        mode: ONNX's `nearest_mode`.
    """
    x = axis.positions()
    rounded = {
        "round_prefer_floor": np.ceil(x - HALF),
        "round_prefer_ceil": np.floor(x + HALF),
        "floor": np.floor(x),
        "ceil": np.ceil(x),
    }[mode]
    indices: NDArray[np.int32] = np.clip(rounded, 0, axis.size - 1).astype(np.int32)
    return indices


@dataclass(frozen=True, slots=True)
class Kernel:
    """An interpolation kernel.

    Attributes:
        radius: Beyond this distance it is zero.
        a: The coefficient of the cubic kernel.
    """

    radius: int
    a: float = 0.0

    def value(self, distance: NDArray[np.float64]) -> NDArray[np.float64]:
        """Returns the weight of taps at given distances."""
        t, a = np.abs(distance), self.a
        share: NDArray[np.float64] = np.clip(1 - t, 0, None)
        if self.radius == 1:
            return share
        near = ((a + 2) * t - (a + 3)) * t * t + 1
        far = ((a * t - 5 * a) * t + 8 * a) * t - 4 * a
        return np.where(t <= 1, near, np.where(t < 2, far, 0.0))


LINEAR = Kernel(1)


def weights(axis: Axis, kernel: Kernel, *, antialias: bool = False, exclude_outside: bool = False) -> Floats:
    """Returns the matrix (outputs, inputs) that interpolates along an axis.

    Taps beyond the axis repeat its first or last element, unless they are excluded.

    Args:
        axis: How the axis is resampled.
        kernel: The interpolation kernel.
        antialias: Widen the kernel by the ratio when fewer elements come out.
        exclude_outside: Drop taps beyond the axis and let the others sum to one.
    """
    x = axis.positions().astype(np.float64)
    narrow = min(float(axis.scale), 1.0) if antialias else 1.0
    reach = int(np.ceil(kernel.radius / narrow))
    taps = np.floor(x).astype(int)[:, None] + np.arange(-reach, reach + 2)
    shares = kernel.value((taps - x[:, None]) * narrow)
    if exclude_outside:
        shares[(taps < 0) | (taps >= axis.size)] = 0
    totals = shares.sum(1, keepdims=True)
    shares /= np.where(totals == 0, 1, totals)  # no tap is left where `tf_crop_and_resize` extrapolates
    matrix = np.zeros((axis.out, axis.size))
    np.add.at(matrix, (np.arange(axis.out)[:, None], np.clip(taps, 0, axis.size - 1)), shares)
    return matrix.astype(np.float32)


@dataclass(frozen=True, slots=True)
class Builtin:
    """The flags of TFLite's RESIZE ops, which place an output at `y * size / out` without any.

    Source: TensorFlow Lite's documentation of the ops `ResizeBilinear`, `ResizeNearestNeighbor`.
    """

    align_corners: bool
    half_pixel_centers: bool

    def positions(self, axis: Axis) -> Floats:
        """Returns where the ops place each output; both compute in float32."""
        y, size = np.arange(axis.out, dtype=np.float32), np.float32(axis.size)
        ratio = size / np.float32(axis.out)
        if self.align_corners and axis.out > 1:
            ratio = (size - 1) / np.float32(axis.out - 1)
        return (y + HALF) * ratio - HALF if self.half_pixel_centers else y * ratio

    def is_linear(self, axis: Axis) -> bool:
        """Tells whether RESIZE_BILINEAR places each output where the axis says, to float precision."""
        high = axis.size - 1
        theirs, ours = np.clip(self.positions(axis), 0, high), np.clip(axis.positions(), 0, high)
        return bool(np.all(np.abs(theirs - ours) <= 4 * np.finfo(np.float32).eps * axis.size))

    def is_nearest(self, axis: Axis, mode: str) -> bool:
        """Tells whether RESIZE_NEAREST_NEIGHBOR takes the same elements."""
        x = self.positions(axis) + HALF if self.half_pixel_centers else self.positions(axis)
        taken = np.floor(x + HALF) if self.align_corners else np.floor(x)
        return np.array_equal(np.clip(taken, 0, axis.size - 1), nearest(axis, mode))


BUILTINS = (Builtin(False, True), Builtin(True, False), Builtin(False, False))
