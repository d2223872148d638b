"""Count sketches: 1 KB from which the error against a reference can be estimated.

Each element is added to, or subtracted from, one of 256 sums; the hash of its index picks the sum and the
sign. The sketch is linear: the difference of two sketches is the sketch of the difference, and its square sum
is an unbiased estimate of the difference's energy with a relative standard deviation of at most
sqrt(2 / 256), or 0.4 dB.

Source: Charikar, Chen, Farach-Colton, "Finding frequent items in data streams", 2002; for the variance, Alon,
Matias, Szegedy, "The space complexity of approximating the frequency moments", 1996.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

BUCKETS = 256
"""Sums of a sketch; `EKT_BUCKETS` of the C writer."""


def mix(index: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Returns the hash of each index; the same as `ekt_mix` of the C writer."""
    x = index.astype(np.uint32)
    x = (x ^ (x >> np.uint32(16))) * np.uint32(0x7FEB352D)
    x = (x ^ (x >> np.uint32(15))) * np.uint32(0x846CA68B)
    return x ^ (x >> np.uint32(16))


def sketch(values: NDArray[Any]) -> tuple[NDArray[np.float32], int]:
    """Returns the sketch of a tensor, and how many of its elements are not finite and were left out.

    Args:
        values: Any shape; integers stand for themselves.
    """
    flat = values.reshape(-1).astype(np.float32)
    finite = np.isfinite(flat)
    hashes = mix(np.arange(flat.size, dtype=np.uint32))
    signed = np.where(hashes >> np.uint32(31), -flat, flat)
    sums = np.bincount(hashes[finite] % BUCKETS, signed[finite].astype(np.float64), BUCKETS)
    return sums.astype(np.float32), int(flat.size - np.count_nonzero(finite))


def sqnr_db(reference: NDArray[Any], device: NDArray[np.float32]) -> float:
    """Estimates the signal-to-noise ratio of a tensor of which only a sketch is known.

    Args:
        reference: The reference tensor, in full.
        device: The sketch that the device recorded.

    Returns:
        dB; infinite where the sketches are equal, NaN where the reference is all zero and they are not.
    """
    flat = reference.reshape(-1).astype(np.float64)
    signal = float(np.sum(np.square(flat[np.isfinite(flat)])))
    noise = float(np.sum(np.square(sketch(reference)[0].astype(np.float64) - device)))
    if noise == 0:
        return math.inf
    return 10 * math.log10(signal / noise) if signal else math.nan
