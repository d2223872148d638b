"""Interval analysis: between which two numbers the elements of an integer tensor lie.

Core ML computes with int32 only. An int64 result is right if it cannot leave int32, so every integer
value carries an interval, and what could leave int32 is refused.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product

import numpy as np

from edgekit.lowering.coreml.storage import INT32_MAX, INT32_MIN, NARROWED
from edgekit.lowering.ledger import Value


@dataclass(frozen=True, slots=True)
class Interval:
    """All integers between two, both included.

    Attributes:
        low: The smallest.
        high: The largest.
    """

    low: int
    high: int

    def __add__(self, other: Interval) -> Interval:
        """Sums of one element of each."""
        return Interval(self.low + other.low, self.high + other.high)

    def __sub__(self, other: Interval) -> Interval:
        """Differences of one element of each."""
        return Interval(self.low - other.high, self.high - other.low)

    def __mul__(self, other: Interval) -> Interval:
        """Products of one element of each."""
        return self.corners(other, lambda a, b: a * b)

    def corners(self, other: Interval, function: Callable[[int, int], int]) -> Interval:
        """Applies a function that is monotonic in each operand."""
        ends = [function(a, b) for a, b in product((self.low, self.high), (other.low, other.high))]
        return Interval(min(ends), max(ends))

    def union(self, other: Interval) -> Interval:
        """The smallest interval that holds both."""
        return Interval(min(self.low, other.low), max(self.high, other.high))

    def times(self, low: int, high: int) -> Interval:
        """Sums of at least `low` and at most `high` elements."""
        return self * Interval(low, high)

    @property
    def is_int32(self) -> bool:
        """Whether all are int32."""
        return self.low >= INT32_MIN and self.high <= INT32_MAX


INT32 = Interval(INT32_MIN, INT32_MAX)
BIT = Interval(0, 1)


def of_dtype(dtype: np.dtype[np.generic]) -> Interval:
    """Returns the interval of all numbers of a dtype that can reach a program."""
    if dtype == np.bool_:
        return BIT
    if dtype.name in NARROWED:  # its port is int32
        return Interval(0 if dtype.kind == "u" else INT32_MIN, INT32_MAX)
    limits = np.iinfo(dtype.name)
    return Interval(int(limits.min), int(limits.max))


def of_constant(value: Value) -> Interval | None:
    """Returns the interval of a constant's elements; `None` if it has none or is no integer."""
    if value.data is None or value.dtype.kind not in "iub" or value.data.size == 0:
        return None
    return Interval(int(value.data.min()), int(value.data.max()))
