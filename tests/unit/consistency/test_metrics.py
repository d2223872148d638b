from __future__ import annotations

import math

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from edgekit.artifact import Delta, Status
from edgekit.consistency.metrics import compare_tensor
from edgekit.consistency.tolerance import EXACT, Tolerance, default_tolerance

F32 = default_tolerance("float32")


def compare(
    reference: object, actual: object, tolerance: Tolerance = F32, dtype: object = np.float32
) -> Delta:
    r = np.asarray(reference, dtype)
    a = None if actual is None else np.asarray(actual, dtype)
    return compare_tensor("y", [(r, a)], tolerance)


def test_equal_tensors_agree_with_infinite_sqnr() -> None:
    delta = compare([1, 2, 3], [1, 2, 3])
    assert (delta.status, delta.max_abs, delta.mismatching, delta.elements) == (Status.AGREE, 0.0, 0, 3)
    assert delta.sqnr_db == math.inf
    assert delta.cosine == pytest.approx(1)
    assert (delta.low, delta.high, delta.worst_index) == (1, 3, None)


def test_the_numbers_of_a_known_error() -> None:
    delta = compare([[0, 10], [20, 100]], [[0, 10], [21, 100]])
    assert delta.status is Status.DIFFER
    assert (delta.max_abs, delta.relative, delta.mismatching) == (1.0, 0.01, 1)
    assert delta.worst_index == (1, 0)
    assert delta.limit == pytest.approx(0.01)
    assert delta.sqnr_db == pytest.approx(10 * math.log10(10**2 + 20**2 + 100**2))
    assert delta.cosine == pytest.approx(10520 / math.sqrt(10500 * 10541))


def test_the_limit_is_taken_of_the_range_of_all_samples() -> None:
    small, large = np.array([0, 1], np.float32), np.array([0, 1000], np.float32)
    wrong = np.array([0, 1.05], np.float32)
    assert compare_tensor("y", [(small, wrong)], F32).status is Status.DIFFER
    assert compare_tensor("y", [(small, wrong), (large, large)], F32).status is Status.AGREE


def test_the_worst_sample_is_named() -> None:
    zero = np.zeros(4, np.float32)
    off = np.array([0, 0, 5, 0], np.float32)
    delta = compare_tensor("y", [(zero, zero), (zero, off), (zero, off / 2)], F32)
    assert (delta.worst_sample, delta.worst_index, delta.mismatching) == (1, (2,), 2)


@pytest.mark.parametrize("special", [np.nan, np.inf, -np.inf])
def test_non_finite_values_in_the_same_place_agree(special: float) -> None:
    delta = compare([1, special, 3], [1, special, 3])
    assert delta.status is Status.AGREE
    assert (delta.low, delta.high) == (1, 3)


@pytest.mark.parametrize(
    ("reference", "actual"),
    [(np.nan, 1), (1, np.nan), (np.inf, -np.inf), (np.nan, np.inf), (np.inf, 3e38), (0, np.inf)],
)
def test_non_finite_values_in_one_of_the_two_are_never_masked(reference: float, actual: float) -> None:
    delta = compare([5, reference], [5, actual])
    assert delta.status is Status.DIFFER
    assert delta.mismatching == 1
    assert delta.worst_index == (1,)
    assert "1 of 2 elements" in (delta.reason or "")
    assert delta.max_abs == 0.0  # of the finite ones


def test_a_missing_tensor_is_a_failure() -> None:
    delta = compare([1], None)
    assert delta.status is Status.MISSING
    assert not delta.status.holds


def test_another_shape_is_a_failure() -> None:
    delta = compare([[1, 2]], [1, 2])
    assert delta.status is Status.DIFFER
    assert delta.reason == "shape [2] instead of [1, 2]"


def test_another_dtype_is_a_failure() -> None:
    delta = compare_tensor("y", [(np.zeros(1, np.int64), np.zeros(1, np.int32))], EXACT)
    assert delta.reason == "dtype int32 instead of int64"


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int32, np.int64, np.uint64, ml_dtypes.int4])
def test_integers_are_exact(dtype: type) -> None:
    assert compare([1, 2, 3], [1, 2, 3], EXACT, dtype).status is Status.AGREE
    delta = compare([1, 2, 3], [1, 2, 5], EXACT, dtype)
    assert (delta.status, delta.mismatching, delta.max_abs) == (Status.DIFFER, 1, 2.0)


def test_integers_beyond_53_bits_are_exact() -> None:
    delta = compare([2**62, -(2**63)], [2**62 + 1, 2**63 - 1], EXACT, np.int64)
    assert delta.mismatching == 2
    assert delta.max_abs == float(2**64 - 1)


def test_bools_are_exact() -> None:
    delta = compare([True, False], [True, True], EXACT, np.bool_)
    assert (delta.status, delta.mismatching) == (Status.DIFFER, 1)


def test_text_is_exact() -> None:
    assert compare(["a", "b"], ["a", "b"], EXACT, object).status is Status.AGREE
    delta = compare(["a", "b"], ["a", "c"], EXACT, object)
    assert (delta.status, delta.worst_index, delta.mismatching) == (Status.DIFFER, (1,), 1)


def test_empty_tensors_agree() -> None:
    delta = compare(np.zeros((0, 3)), np.zeros((0, 3)))
    assert (delta.status, delta.elements, delta.low) == (Status.AGREE, 0, None)
    assert compare(np.zeros((0, 3)), np.zeros((0, 4))).status is Status.DIFFER


def test_scalars_have_an_empty_index() -> None:
    assert compare(1.0, 2.0).worst_index == ()


def test_complex_numbers_are_compared_by_distance() -> None:
    delta = compare([3 + 4j, 0], [3 + 5j, 0], F32, np.complex64)
    assert (delta.status, delta.max_abs, delta.high) == (Status.DIFFER, 1.0, 5.0)
    assert compare([complex(np.nan, 0)], [complex(np.nan, 0)], F32, np.complex64).status is Status.AGREE


def test_narrow_floats_are_compared_as_numbers() -> None:
    tolerance = default_tolerance("bfloat16")
    assert compare([1, 2, 100], [1, 2, 101], tolerance, ml_dtypes.bfloat16).status is Status.AGREE
    assert compare([1, 2, 100], [1, 20, 100], tolerance, ml_dtypes.bfloat16).status is Status.DIFFER


def test_large_values_do_not_overflow_the_ratios() -> None:
    delta = compare([1e300, -1e300], [1e300, -1.1e300], default_tolerance("float64"), np.float64)
    assert delta.sqnr_db == pytest.approx(10 * math.log10(2 / 0.01))


def test_what_only_the_floor_lets_pass_says_so() -> None:
    delta = compare([0, 1e-9], [0, 5e-9])
    assert delta.status is Status.AGREE
    assert "absolute floor" in delta.notes[0]
    assert compare([0, 1e-9], [0, 1e-6]).status is Status.DIFFER


finite = st.floats(-1e6, 1e6, width=32)


@given(hnp.arrays(np.float32, hnp.array_shapes(max_dims=3), elements=finite))
def test_a_tensor_agrees_with_itself(array: np.ndarray) -> None:
    delta = compare_tensor("y", [(array, array.copy())], Tolerance(0.0))
    assert delta.status is Status.AGREE
    assert delta.max_abs == 0


@given(hnp.arrays(np.float32, st.integers(2, 40), elements=finite), st.integers(0, 39), st.floats(0.01, 100))
def test_an_error_beyond_the_limit_is_found_wherever_it_is(array: np.ndarray, at: int, factor: float) -> None:
    low, high = float(array.min()), float(array.max())
    limit = F32.limit(low, high)
    actual = array.astype(np.float64)
    actual[at % len(array)] += factor * limit
    delta = compare_tensor("y", [(array.astype(np.float64), actual)], F32)
    if abs(factor - 1) > 1e-6:
        assert delta.status is (Status.DIFFER if factor > 1 else Status.AGREE)
    assert delta.worst_index == (at % len(array),)
