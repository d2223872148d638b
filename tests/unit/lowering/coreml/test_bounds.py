"""Intervals hold every result that the arithmetic can give."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.lowering.coreml import bounds
from edgekit.lowering.coreml.bounds import Interval

NUMBERS = st.integers(-(2**40), 2**40)


@st.composite
def element(draw):
    """Draws an interval and one of its numbers."""
    low, high = sorted((draw(NUMBERS), draw(NUMBERS)))
    return Interval(low, high), draw(st.integers(low, high))


def holds(interval: Interval, number: int) -> bool:
    return interval.low <= number <= interval.high


@given(element(), element())
def test_arithmetic_of_elements_stays_inside(first, second):
    (p, x), (q, y) = first, second
    assert holds(p + q, x + y)
    assert holds(p - q, x - y)
    assert holds(p * q, x * y)
    assert holds(p.union(q), x)
    assert holds(p.union(q), y)


@given(element(), st.integers(0, 50))
def test_sums_of_several_stay_inside(drawn, count):
    interval, x = drawn
    assert holds(interval.times(0, 50), x * count)


def test_int32_is_told_from_more():
    assert Interval(-(2**31), 2**31 - 1).is_int32
    assert not Interval(0, 2**31).is_int32
    assert not Interval(-(2**31) - 1, 0).is_int32


@pytest.mark.parametrize(
    ("dtype", "low", "high"),
    [("bool", 0, 1), ("uint8", 0, 255), ("int16", -(2**15), 2**15 - 1), ("int64", -(2**31), 2**31 - 1)],
)
def test_of_dtype_is_what_can_reach_a_program(dtype, low, high):
    assert bounds.of_dtype(np.dtype(dtype)) == Interval(low, high)
