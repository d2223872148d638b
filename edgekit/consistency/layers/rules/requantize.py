"""From a sum of products to an integer of another scale: three ways to round.

Sources: gemmlowp `fixedpoint.h` and TensorFlow Lite's `kernels/internal/common.h` for the fixed-point forms,
XNNPACK's `qs8-requantization` (fp32) for the float form.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.runners import Array

_Whole = NDArray[np.int64] | int
Round = Callable[[NDArray[np.int64], NDArray[np.float64]], NDArray[np.int64]]
"""From sums and real multipliers, which broadcast, to integers before the zero point."""


def in_float(sums: NDArray[np.int64], scale: NDArray[np.float64]) -> NDArray[np.int64]:
    """One product in float32, rounded half to even."""
    return np.rint(sums.astype(np.float32) * scale.astype(np.float32)).astype(np.int64)


def twice(sums: NDArray[np.int64], scale: NDArray[np.float64]) -> NDArray[np.int64]:
    """Fixed point: the high half of a doubled product, then a shift; each rounds halves away from zero."""
    return shifted_twice(sums, *fixed(scale))


def shifted_twice(sums: NDArray[np.int64], multiplier: _Whole, shift: _Whole) -> NDArray[np.int64]:
    """As `twice`, with a multiplier of 31 bits and a power of two."""
    product = (sums << np.maximum(shift, 0)) * multiplier
    high = _truncated(product + np.where(product >= 0, 1 << 30, 1 - (1 << 30)), 1 << 31)
    right = np.maximum(-shift, 0)
    mask = (np.int64(1) << right) - 1
    up = (high & mask) > (mask >> 1) + (high < 0)
    return np.asarray((high >> right) + up, np.int64)


def once(sums: NDArray[np.int64], scale: NDArray[np.float64]) -> NDArray[np.int64]:
    """Fixed point with one shift, which rounds halves up."""
    return shifted_once(sums, *fixed(scale))


def shifted_once(sums: NDArray[np.int64], multiplier: _Whole, shift: _Whole) -> NDArray[np.int64]:
    """As `once`, with a multiplier of 31 bits and a power of two."""
    total = 31 - shift
    return np.asarray((sums * multiplier + (np.int64(1) << (total - 1))) >> total, np.int64)


def fixed(scale: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Returns a multiplier of 31 bits and a power of two for each positive scale."""
    fraction, exponent = np.frexp(scale)
    multiplier = np.floor(fraction * (1 << 31) + 0.5).astype(np.int64)
    full = multiplier == 1 << 31
    return np.where(full, multiplier >> 1, multiplier), exponent.astype(np.int64) + full


def _truncated(number: NDArray[np.int64], divisor: int) -> NDArray[np.int64]:
    return np.where(number >= 0, number // divisor, -((-number) // divisor))


def saturated(
    whole: NDArray[np.int64], zero: int, dtype: np.dtype[Any], activation: str, scale: float
) -> Array:
    """Adds the zero point and keeps to what the dtype and the activation allow."""
    info = np.iinfo(dtype)
    low, high = info.min, info.max
    limits = {"RELU": (0.0, math.inf), "RELU6": (0.0, 6.0), "RELU_N1_TO_1": (-1.0, 1.0)}.get(activation)
    if limits is not None:
        low = max(low, zero + round(limits[0] / scale))
        high = high if math.isinf(limits[1]) else min(high, zero + round(limits[1] / scale))
    return np.clip(whole + zero, low, high).astype(dtype)


FORMS: dict[str, Round] = {
    "float32 multiplier, half to even (XNNPACK)": in_float,
    "fixed-point multiplier, rounded twice (TFLite)": twice,
    "fixed-point multiplier, rounded once (TFLite)": once,
}
"""The ways to round by the names that reports call them."""
