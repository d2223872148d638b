from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import helper

from edgekit.consistency.tolerance import (
    EXACT,
    Tolerance,
    default_tolerance,
    inner_precisions,
    tolerance_for,
)
from edgekit.ir import Model

node = helper.make_node


def test_float32_is_held_to_a_ten_thousandth_of_its_range() -> None:
    assert default_tolerance("float32").limit(-3, 5) == pytest.approx(8e-4)


def test_an_offset_does_not_widen_the_limit_beyond_rounding() -> None:
    limit = default_tolerance("float32").limit(1000, 1001)
    assert limit < 0.005
    assert limit > 1000 * 2.0**-23


def test_a_constant_counts_its_magnitude_as_its_range() -> None:
    assert default_tolerance("float32").limit(5, 5) == pytest.approx(5e-4)
    assert 0 < default_tolerance("float32").limit(0, 0) < 1e-6


@given(st.floats(-1e6, 1e6), st.floats(0, 1e6), st.floats(1.01, 100))
def test_a_wider_range_never_narrows_the_limit(low: float, spread: float, factor: float) -> None:
    tolerance = Tolerance(1e-4)
    assert tolerance.limit(low, low + spread * factor + 1) >= tolerance.limit(low, low + spread + 1)


@pytest.mark.parametrize("name", ["int8", "int64", "uint4", "bool", "string"])
def test_what_is_no_float_is_exact(name: str) -> None:
    assert default_tolerance(name, "float16") is EXACT
    assert tolerance_for("y", 0.1, name) is EXACT


def test_the_coarsest_precision_decides() -> None:
    assert default_tolerance("float32", "float16").relative == 2e-2
    assert default_tolerance("float16", "float32").relative == 2e-2
    assert default_tolerance("float64").relative < default_tolerance("float32").relative
    assert default_tolerance("float32", "int64") == default_tolerance("float32")


def test_what_the_user_asks_for_replaces_the_default() -> None:
    assert tolerance_for("y", 1e-3, "float32").limit(0, 1) == pytest.approx(1e-3)
    assert tolerance_for("y", {"y": 1e-2}, "float32").relative == 1e-2
    assert tolerance_for("y", {"z": 1e-2}, "float32") == default_tolerance("float32")
    assert tolerance_for("y", {"y": 0.01}, "int8").limit(0, 100) == pytest.approx(1)
    assert tolerance_for("y", 0, "float32").limit(-5, 5) == 0


def test_weights_stored_in_16_bits_do_not_loosen_the_tolerance(make_model: Callable[..., Model]) -> None:
    io = ({"x": ("FLOAT", [2])}, {"y": ("FLOAT", [2])})
    stored = make_model(
        [node("Cast", ["w"], ["c"], to=1), node("Add", ["x", "c"], ["y"])], *io, {"w": np.ones(2, np.float16)}
    )
    computed = make_model(
        [node("Cast", ["x"], ["a"], to=10), node("Exp", ["a"], ["b"]), node("Cast", ["b"], ["y"], to=1)],
        *io,
    )
    assert inner_precisions(stored) == ()
    assert inner_precisions(computed) == ("float16",)


def test_sixteen_bits_do_not_excuse_everything() -> None:
    for name in ("float16", "bfloat16"):
        tolerance = default_tolerance(name)
        assert tolerance.rounding <= tolerance.relative
        assert tolerance.floor < 1e-3
