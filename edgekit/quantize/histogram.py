"""A histogram of reals that grows sample by sample and never needs to know their range beforehand."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Floats = NDArray[np.float64]

_DROPPED = 16
"""Low bits of a float32 that a bin ignores: 7 bits of its fraction stay, so that a bin is at most 1/128 of
its magnitude wide, whatever the magnitude."""
_SIGN = 1 << 15
_BINS = 1 << 16


@dataclass(slots=True)
class Histogram:
    """Counts by sign, exponent and the leading seven bits of the fraction; memory is 512 KiB.

    Attributes:
        low: The smallest value so far.
        high: The largest.
        counts: Values in each bin, zeros not among them.
        zeros: Values that are zero.
    """

    low: float = np.inf
    high: float = -np.inf
    counts: NDArray[np.int64] = field(default_factory=lambda: np.zeros(_BINS, np.int64))
    zeros: int = 0

    def add(self, values: Array) -> None:
        """Counts the elements of an array, which must be finite."""
        flat = np.ascontiguousarray(values, np.float32).reshape(-1)
        if not flat.size:
            return
        self.low, self.high = min(self.low, float(flat.min())), max(self.high, float(flat.max()))
        kept = flat[flat != 0]
        self.zeros += flat.size - kept.size
        self.counts += np.bincount(kept.view(np.uint32) >> _DROPPED, minlength=_BINS)

    @property
    def total(self) -> int:
        """How many values were counted."""
        return int(self.counts.sum()) + self.zeros

    def bins(self) -> tuple[Floats, Floats, NDArray[np.int64]]:
        """Returns lower edges, upper edges and counts of the bins that are not empty, ascending.

        Values within a bin are taken to be spread evenly; zeros are a bin without width.
        """
        keys = np.flatnonzero(self.counts)
        negative = keys >= _SIGN
        near, far = _edges(keys & (_SIGN - 1))
        low, high = np.where(negative, -far, near), np.where(negative, -near, far)
        low, high = np.maximum(low, self.low), np.minimum(high, self.high)
        counts = self.counts[keys]
        if self.zeros:
            low, high, counts = np.append(low, 0.0), np.append(high, 0.0), np.append(counts, self.zeros)
        order = np.lexsort((high, low))
        return low[order], high[order], counts[order]

    def quantile(self, share: float) -> float:
        """Returns the value below which a share of all values lies, 0 to 1; exact to a bin."""
        low, high, counts = self.bins()
        wanted = share * (self.total - 1)
        before = np.concatenate([[0], np.cumsum(counts)[:-1]])
        place = int(np.searchsorted(before, wanted, side="right")) - 1
        inside = (wanted - before[place] + 0.5) / counts[place]
        return float(low[place] + (high[place] - low[place]) * min(inside, 1.0))


def _edges(magnitude: NDArray[np.int64]) -> tuple[Floats, Floats]:
    """Returns the two edges of the bins of positive numbers."""
    bits = magnitude.astype(np.uint32) << _DROPPED
    last = np.uint32(np.float32(np.finfo(np.float32).max).view(np.uint32))
    following = np.minimum((magnitude.astype(np.uint64) + 1) << _DROPPED, np.uint64(last)).astype(np.uint32)
    return bits.view(np.float32).astype(np.float64), following.view(np.float32).astype(np.float64)
