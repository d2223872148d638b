from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from .ops import floats, ints, refused, run

X = floats([-2, -0.5, 0, 0.5, 3])

ACTIVATIONS: dict[str, tuple[dict[str, Any], list[float]]] = {
    "relu": ({}, [0, 0, 0, 0.5, 3]),
    "relu6": ({}, [0, 0, 0, 0.5, 3]),
    "clamped_relu": ({"alpha": 0.5, "beta": 2.0}, [-1, -0.25, 0, 0.5, 2]),
    "elu": ({"alpha": 2.0}, [2 * (math.exp(-2) - 1), 2 * (math.exp(-0.5) - 1), 0, 0.5, 3]),
    "leaky_relu": ({"alpha": 0.1}, [-0.2, -0.05, 0, 0.5, 3]),
    "linear_activation": ({"alpha": 2.0, "beta": 1.0}, [-3, 0, 1, 2, 7]),
    "scaled_tanh": ({"alpha": 2.0, "beta": 0.5}, [2 * math.tanh(v / 2) for v in (-2, -0.5, 0, 0.5, 3)]),
    "sigmoid": ({}, [1 / (1 + math.exp(-v)) for v in (-2, -0.5, 0, 0.5, 3)]),
    "sigmoid_hard": ({"alpha": 0.25, "beta": 0.5}, [0, 0.375, 0.5, 0.625, 1]),
    "silu": ({}, [v / (1 + math.exp(-v)) for v in (-2, -0.5, 0, 0.5, 3)]),
    "softplus": ({}, [math.log1p(math.exp(v)) for v in (-2, -0.5, 0, 0.5, 3)]),
    "softsign": ({}, [-2 / 3, -1 / 3, 0, 1 / 3, 0.75]),
    "thresholded_relu": ({"alpha": 0.5}, [0, 0, 0, 0.5, 3]),
    "gelu": ({}, [v * (1 + math.erf(v / math.sqrt(2))) / 2 for v in (-2, -0.5, 0, 0.5, 3)]),
    "erf": ({}, [math.erf(v) for v in (-2, -0.5, 0, 0.5, 3)]),
    "abs": ({}, [2, 0.5, 0, 0.5, 3]),
    "sign": ({}, [-1, -1, 0, 1, 1]),
    "square": ({}, [4, 0.25, 0, 0.25, 9]),
    "ceil": ({}, [-2, 0, 0, 1, 3]),
    "floor": ({}, [-2, -1, 0, 0, 3]),
    "round": ({}, [-2, 0, 0, 0, 3]),
    "exp2": ({}, [0.25, 2**-0.5, 1, 2**0.5, 8]),
    "clip": ({"alpha": -1.0, "beta": 1.0}, [-1, -0.5, 0, 0.5, 1]),
    "threshold": ({"alpha": 0.25}, [0.25, 0.25, 0.25, 0.5, 3]),
}


@pytest.mark.parametrize("op", ACTIVATIONS)
def test_one_tensor(op: str) -> None:
    parameters, wanted = ACTIVATIONS[op]
    found = run(op, x=X, **parameters)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, wanted, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("op", ["relu", "exp2", "sigmoid", "erf", "square"])
def test_half_precision_rounds_once(op: str) -> None:
    x = floats([-2, 0.1, 3], np.float16)
    found = run(op, x=x)
    assert found.dtype == np.float16
    np.testing.assert_array_equal(found, run(op, x=x.astype(np.float32)).astype(np.float16))


def test_sums_in_half_precision_do_not_stall() -> None:
    # Added up in float16, one after the other, 4096 ones stop at 2048.
    assert run("reduce_sum", x=np.ones(4096, np.float16), axes=[0]) == np.float16(4096)


def test_beyond_the_range_of_half_precision() -> None:
    assert np.isinf(run("mul", x=floats([6e4], np.float16), y=floats([2], np.float16)))


def test_other_forms_of_gelu() -> None:
    x = floats([0.5])
    tanh = 0.25 * (1 + math.tanh(math.sqrt(2 / math.pi) * (0.5 + 0.044715 * 0.125)))
    np.testing.assert_allclose(run("gelu", x=x, mode="TANH_APPROXIMATION"), [tanh], rtol=1e-6)
    wanted = 0.5 / (1 + math.exp(-0.851))
    np.testing.assert_allclose(run("gelu", x=x, mode="SIGMOID_APPROXIMATION"), [wanted], rtol=1e-6)
    assert "mode" in refused("gelu", x=x, mode="OTHER")


def test_the_error_function_is_exact_enough() -> None:
    x = np.linspace(-7, 7, 4001).astype(np.float32)
    np.testing.assert_allclose(run("erf", x=x), [math.erf(v) for v in x], rtol=2e-7, atol=1e-12)
    assert np.isnan(run("erf", x=floats([np.nan])))


def test_numbers_that_are_added_before() -> None:
    np.testing.assert_allclose(run("inverse", x=floats([1]), epsilon=1.0), [0.5])
    np.testing.assert_allclose(run("inverse", x=floats([0])), [1e4], rtol=1e-6)
    np.testing.assert_allclose(run("log", x=floats([0]), epsilon=1.0), [0])
    np.testing.assert_allclose(run("rsqrt", x=floats([3]), epsilon=1.0), [0.5])


def test_activations_by_channel() -> None:
    x = floats([[[-1, 1], [-1, 1]]])
    np.testing.assert_array_equal(run("prelu", x=x, alpha=[0.5, 2.0]), [[[-0.5, 1], [-2, 1]]])
    found = run("softplus_parametric", x=x, alpha=[1.0, 2.0], beta=[1.0, 0.5])
    wanted = [
        [[math.log1p(math.exp(s)) for s in (-1, 1)], [2 * math.log1p(math.exp(s / 2)) for s in (-1, 1)]]
    ]
    np.testing.assert_allclose(found, wanted, rtol=1e-6)
    assert "alpha" in refused("prelu", x=x, alpha=[0.5])


def test_softmax_along_an_axis() -> None:
    x = floats([[0, 0], [0, math.log(3)]])
    np.testing.assert_allclose(run("softmax", x=x, axis=0), [[0.5, 0.25], [0.5, 0.75]], rtol=1e-6)
    np.testing.assert_allclose(run("softmax", x=floats([1000, 1000])), [0.5, 0.5])


BINARY: dict[str, list[Any]] = {
    "add": [9, -5, 4],
    "sub": [5, -9, 0],
    "mul": [14, -14, 4],
    "maximum": [7, 2, 2],
    "minimum": [2, -7, 2],
    "floor_div": [3, -4, 1],
    "mod": [1, 1, 0],
    "pow": [49, 49, 4],
    "equal": [False, False, True],
    "not_equal": [True, True, False],
    "greater": [True, False, False],
    "greater_equal": [True, False, True],
    "less": [False, True, False],
    "less_equal": [False, True, True],
}


@pytest.mark.parametrize("op", BINARY)
@pytest.mark.parametrize("dtype", [np.int32, np.float32, np.float16])
def test_two_tensors(op: str, dtype: Any) -> None:
    found = run(op, x=np.array([7, -7, 2], dtype), y=np.array([2], dtype))
    assert found.tolist() == BINARY[op]
    assert found.dtype == (np.bool_ if isinstance(BINARY[op][0], bool) else dtype)


def test_logic() -> None:
    x, y = np.array([True, True, False, False]), np.array([True, False, True, False])
    assert run("logical_and", x=x, y=y).tolist() == [True, False, False, False]
    assert run("logical_or", x=x, y=y).tolist() == [True, True, True, False]
    assert run("logical_xor", x=x, y=y).tolist() == [False, True, True, False]
    assert run("logical_not", x=x).tolist() == [False, False, True, True]
    assert run("select", cond=x, a=ints([1, 2, 3, 4]), b=ints([5, 6, 7, 8])).tolist() == [1, 2, 7, 8]
    assert "bool" in refused("logical_and", x=ints([1]), y=ints([1]))


def test_quotients() -> None:
    np.testing.assert_array_equal(run("real_div", x=floats([1, -1]), y=floats([4, 0])), [0.25, -np.inf])
    assert "not specified" in refused("real_div", x=ints([1]), y=ints([2]))
    assert "by 0" in refused("floor_div", x=ints([1]), y=ints([0]))


def test_types_are_not_mixed() -> None:
    assert "floats" in refused("relu", x=ints([1]))
    assert "does not take" in refused("exp", x=ints([1]))
    assert "one type" in refused("add", x=floats([1]), y=floats([1], np.float16))
    assert "one type" in refused("add", x=floats([1]), y=ints([1]))


def test_casts() -> None:
    assert run("cast", x=floats([1.9, -1.9]), dtype="int32").tolist() == [1, -1]
    assert run("cast", x=floats([0, 0.5]), dtype="bool").tolist() == [False, True]
    half = run("cast", x=ints([2049]), dtype="fp16")
    assert (half.dtype, half.tolist()) == (np.float16, [2048])
    assert run("cast", x=floats([1], np.float16), dtype="fp32").dtype == np.float32
    assert "no place" in refused("cast", x=floats([3e9]), dtype="int32")
    assert "no place" in refused("cast", x=floats([np.nan]), dtype="int32")
    assert "int8" in refused("cast", x=floats([1]), dtype="int8")
    assert run("cast", 17, x=floats([1]), dtype="int8").dtype == np.int8
    assert "no place" in refused("cast", 17, x=ints([-1]), dtype="uint8")
