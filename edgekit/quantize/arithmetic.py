"""Scales, zero points and integers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

LOWEST, HIGHEST = -128, 127
SMALLEST_SCALE = np.float32(1e-12)
"""Of a tensor that is zero throughout; a scale must be positive."""


@dataclass(frozen=True, slots=True)
class Affine:
    """`real = scale * (code - zero)` with codes in int8.

    Attributes:
        scale: A float32.
        zero: The code of zero.
    """

    scale: np.float32
    zero: int

    @property
    def low(self) -> float:
        """The lowest real that has a code."""
        return float(self.scale) * (LOWEST - self.zero)

    @property
    def high(self) -> float:
        """The highest real that has a code."""
        return float(self.scale) * (HIGHEST - self.zero)


def affine(low: float, high: float) -> Affine:
    """Returns the asymmetric int8 quantisation of a range; zero has a code of its own.

    Args:
        low: At most 0.
        high: At least 0.
    """
    scale = max(np.float32((high - low) / (HIGHEST - LOWEST)), SMALLEST_SCALE)
    zero = int(np.clip(np.rint(LOWEST - low / float(scale)), LOWEST, HIGHEST))
    return Affine(scale, zero)


def codes(values: Array, quant: Affine) -> Array:
    """Quantises to int8: half to even, saturated, as QuantizeLinear does."""
    whole = np.rint(values.astype(np.float32) / quant.scale) + quant.zero
    return np.asarray(np.clip(whole, LOWEST, HIGHEST), np.int8)


def symmetric_scales(weights: Array, axis: int | None) -> Array:
    """Returns float32 scales of symmetric int8 weights: one per index of an axis, or one in all.

    Returns:
        Shape (n,) with an axis, else ().
    """
    others = tuple(i for i in range(weights.ndim) if i != axis)
    largest = np.abs(weights).max(axis=others if axis is not None else None, initial=0)
    scales = (largest / HIGHEST).astype(np.float32)
    return np.where(scales > SMALLEST_SCALE, scales, np.float32(1)).astype(np.float32)


def symmetric_codes(weights: Array, scales: Array, axis: int | None) -> Array:
    """Quantises weights to int8 from -127 to 127."""
    shape = [-1 if i == axis else 1 for i in range(weights.ndim)] if axis is not None else []
    whole = np.rint(weights.astype(np.float32) / scales.reshape(shape))
    return np.asarray(np.clip(whole, -HIGHEST, HIGHEST), np.int8)
