"""Scales, zero points and integers."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.quantize.codes import INT8, Codes

Array = NDArray[Any]

SMALLEST_SCALE = np.float32(1e-12)
"""A tensor that needs less than this is as good as zero: its scale is 1, so that biases in units of
`s_x * s_w` stay small."""
WEIGHTS = Codes("int8", symmetric=True, per_channel=True)


@dataclass(frozen=True, slots=True)
class Affine:
    """`real = scale * (code - zero)`.

    Attributes:
        scale: A float32.
        zero: The code of zero.
        codes: Which integers there are.
    """

    scale: np.float32
    zero: int
    codes: Codes = INT8

    @property
    def low(self) -> float:
        """The lowest real that has a code."""
        return float(self.scale) * (self.codes.lowest - self.zero)

    @property
    def high(self) -> float:
        """The highest real that has a code."""
        return float(self.scale) * (self.codes.highest - self.zero)

    @property
    def zero_point(self) -> Array:
        """The code of zero as a scalar of the codes' dtype."""
        return np.asarray(self.zero).astype(self.codes.numpy)


def affine(
    low: float,
    high: float,
    codes: Codes = INT8,
    *,
    zeros: Collection[int] | None = None,
    power_of_two: bool = False,
) -> Affine:
    """Returns the quantisation of a range; zero has a code of its own.

    Args:
        low: At most 0.
        high: At least 0.
        codes: The integers.
        zeros: Zero points that are allowed; the middle one if the codes are symmetric, else any.
        power_of_two: Whether the scale must be a power of two.

    Returns:
        The finest quantisation that covers the range: with free zero points, to half a step at its ends.
    """
    if codes.symmetric and zeros is None:
        zeros = (codes.middle,)
    if zeros is None:
        scale = _positive((high - low) / (codes.highest - codes.lowest), power_of_two)
        zero = round(codes.lowest - low / float(scale))
        return Affine(scale, int(np.clip(zero, codes.lowest, codes.highest)), codes)
    needed = {zero: _covering(low, high, zero, codes) for zero in sorted(zeros)}
    best = min(needed, key=lambda zero: needed[zero])
    return Affine(_positive(needed[best][1], power_of_two), best, codes)


def _covering(low: float, high: float, zero: int, codes: Codes) -> tuple[bool, float]:
    """Returns whether a zero point leaves no codes for an end that needs some, and the smallest scale.

    With that scale the codes reach both ends, or the one that has codes.
    """
    above, below = codes.highest - zero, zero - codes.lowest
    up = high / above if above else 0.0
    down = -low / below if below else 0.0
    return (high > 0 and not above) or (low < 0 and not below), max(up, down)


def _positive(scale: float, power_of_two: bool) -> np.float32:
    return np.float32(usable(np.asarray(scale), power_of_two))


def usable(scales: Array, power_of_two: bool = False) -> Array:
    """Returns float32 scales that can be divided by: 1 for those of zeros, none beyond float32.

    Args:
        scales: At least 0.
        power_of_two: Whether to round up to powers of two.
    """
    limited = np.minimum(scales, np.finfo(np.float32).max)
    positive = np.where(limited > SMALLEST_SCALE, limited, 1.0)
    return np.asarray(2.0 ** np.ceil(np.log2(positive)) if power_of_two else positive, np.float32)


def codes(values: Array, quant: Affine) -> Array:
    """Quantises reals: half to even, saturated, as QuantizeLinear does."""
    return _rounded(values, quant.scale, quant.zero, quant.codes)


def symmetric_scales(weights: Array, axis: int | None, codes: Codes = WEIGHTS) -> Array:
    """Returns float32 scales of symmetric weights: one per index of an axis, or one in all.

    Args:
        weights: Finite floats.
        axis: The axis of the output channels.
        codes: The integers.

    Returns:
        Shape (n,) with an axis, else (). A channel of zeros has 1.
    """
    others = tuple(i for i in range(weights.ndim) if i != axis)
    largest = np.abs(weights).max(axis=others if axis is not None else None, initial=0)
    return usable(largest / (codes.highest - codes.middle))


def symmetric_codes(weights: Array, scales: Array, axis: int | None, codes: Codes = WEIGHTS) -> Array:
    """Quantises weights symmetrically; int8 goes from -127 to 127."""
    shape = [-1 if i == axis else 1 for i in range(weights.ndim)] if axis is not None else []
    return _rounded(weights, scales.reshape(shape), codes.middle, codes)


def block_scales(weights: Array, axis: int, codes: Codes) -> Array:
    """Returns float32 scales of blocks along an axis, the last of which may be shorter.

    Args:
        weights: Finite floats.
        axis: The axis along which blocks lie; every index of the other axes has blocks of its own.
        codes: The integers, with the size of a block.

    Returns:
        The shape of the weights, but as many as there are blocks along the axis.
    """
    starts = np.arange(0, weights.shape[axis], codes.block)
    largest = np.maximum.reduceat(np.abs(weights), starts, axis=axis)
    return usable(largest / (codes.highest - codes.middle))


def block_codes(weights: Array, scales: Array, axis: int, codes: Codes) -> Array:
    """Quantises weights symmetrically with the scales of their blocks."""
    spread = np.repeat(scales, codes.block, axis=axis).take(np.arange(weights.shape[axis]), axis=axis)
    return _rounded(weights, spread, codes.middle, codes)


def _rounded(values: Array, scales: Array | np.float32, zero: int, codes: Codes) -> Array:
    with np.errstate(over="ignore"):
        whole = np.rint(values.astype(np.float32) / scales) + zero
    limited = np.clip(whole, codes.lowest, codes.highest)
    return np.asarray(limited.astype(np.int32).astype(codes.numpy))
