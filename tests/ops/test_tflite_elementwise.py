"""Elementwise ops against ONNX Runtime, the reference, or float64."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

INTEGERS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
SPECIAL = np.asarray(
    [np.nan, np.inf, -np.inf, 0.0, -0.0, 1, -1, 0.5, 1.5, 2.5, -0.5, -1.5, -2.5, -7.3, 100], np.float32
)
FAST = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(autouse=True)
def quiet():
    with np.errstate(all="ignore"):
        yield


def tolerance(dtype):
    return {"float16": 2e-3, "bfloat16": 1e-2}.get(dtype, 1e-5)


@pytest.mark.parametrize("dynamic", [(), (0,)], ids=["static", "dynamic"])
@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16", *INTEGERS])
def test_arithmetic_broadcasts_and_wraps(bench, draw, dtype, dynamic):
    kind = np.dtype(dtype) if dtype != "bfloat16" else bfloat16()
    x, y = draw(kind, 2, 3, 4), draw(kind, 3, 1)
    for op in ("Add", "Sub", "Mul", "Max", "Min", "Less", "GreaterOrEqual", "Equal"):
        bench.check(op, [x, y], dynamic=dynamic, rtol=tolerance(dtype))
    bench.check("Abs", [x], dynamic=dynamic)
    bench.check("Sign", [x], dynamic=dynamic)
    if kind.kind != "u":
        bench.check("Neg", [x], dynamic=dynamic)


def bfloat16():
    import ml_dtypes

    return np.dtype(ml_dtypes.bfloat16)


@pytest.mark.parametrize("dtype", INTEGERS)
def test_integers_divide_as_c_and_leave_remainders_of_either_sign(bench, draw, dtype):
    x, y = draw(dtype, 500), draw(dtype, 500)
    y = np.where(y == 0, 3, y)
    least = np.iinfo(dtype).min
    x = np.where((x == least) & (y.astype(np.int64) == -1), 5, x).astype(dtype)
    bench.check("Div", [x, y], expected=[truncated_quotient(x, y)])
    bench.check("Mod", [x, y], expected=[np.mod(x, y)])
    bench.check("Mod", [x, y], {"fmod": 1}, expected=[np.fmod(x, y)])


def truncated_quotient(x, y):
    quotients = [abs(int(a)) // abs(int(b)) for a, b in zip(x, y, strict=True)]
    signs = [-1 if (int(a) < 0) != (int(b) < 0) else 1 for a, b in zip(x, y, strict=True)]
    return np.asarray([q * s for q, s in zip(quotients, signs, strict=True)], x.dtype)


@FAST
@given(
    pairs=st.lists(
        st.tuples(st.integers(-(2**63) + 1, 2**63 - 1), st.integers(-(2**63) + 1, 2**63 - 1).filter(bool)),
        min_size=1,
        max_size=40,
    ),
    shift=st.integers(0, 62),
)
def test_int64_division_is_exact(bench, pairs, shift):
    x, y = (np.asarray(v, np.int64) for v in zip(*pairs, strict=True))
    y = np.where(y >> shift == 0, 1, y >> shift)
    bench.check("Div", [x, y], expected=[truncated_quotient(x, y)], dynamic=(0, 1))


@pytest.mark.parametrize("dtype", ["int32", "int64"])
def test_least_integer_modulo_minus_one_does_not_end_the_process(bench, dtype):
    least = np.iinfo(dtype).min
    x, y = np.asarray([least, 5, -5], dtype), np.asarray([-1, -1, 3], dtype)
    bench.check("Mod", [x, y], expected=[np.asarray([0, 0, 1], dtype)])
    bench.check("Mod", [x, y], {"fmod": 1}, expected=[np.asarray([0, 0, -2], dtype)])


def test_floats_have_remainders_of_either_sign(bench):
    x, y = (v.ravel() for v in np.meshgrid(SPECIAL, SPECIAL))
    bench.check("Mod", [x, y], {"fmod": 1})
    bench.check("Mod", [x, y], opset=28, expected=[np.mod(x, y)])


@pytest.mark.parametrize("op", ["Max", "Min", "Add", "Div", "Pow", "Less", "Equal"])
@pytest.mark.parametrize("const", [(), (0,), (1,)])
def test_nan_and_infinities(bench, op, const):
    x, y = (v.ravel() for v in np.meshgrid(SPECIAL, SPECIAL))
    bench.check(op, [x, y], const=const)


@pytest.mark.parametrize(
    "op",
    ["Abs", "Neg", "Sign", "Floor", "Ceil", "Round", "Sqrt", "IsNaN", "IsInf", "Reciprocal", "Erf",
     "Tan", "Asin", "Acos", "Atan", "Sinh", "Cosh", "Asinh", "Acosh", "Atanh"],
)  # fmt: skip
def test_functions_of_special_values(bench, op):
    bench.check(op, [SPECIAL])


@pytest.mark.parametrize(("up", "down"), [(1, 0), (0, 1), (0, 0)])
def test_infinities_of_one_sign(bench, up, down):
    bench.check("IsInf", [SPECIAL], {"detect_positive": up, "detect_negative": down})


FUNCTIONS = {
    "Asin": (np.arcsin, 1), "Acos": (np.arccos, 1), "Atan": (np.arctan, 1e30), "Sinh": (np.sinh, 80),
    "Cosh": (np.cosh, 80), "Asinh": (np.arcsinh, 1e30), "Acosh": (np.arccosh, 1e30),
    "Atanh": (np.arctanh, 0.999), "Erf": (np.vectorize(math.erf), 10),
}  # fmt: skip


@pytest.mark.parametrize("op", FUNCTIONS)
def test_relative_error_is_of_float32_at_every_scale(bench, rng, op):
    function, largest = FUNCTIONS[op]
    scales = [s for s in (1e-20, 1e-6, 1e-3, 0.1, 0.9, 3, 30, 1e10, 1e30) if s <= largest]
    x = np.concatenate([rng.uniform(-1, 1, 300) * s for s in scales]).astype(np.float32)
    x = np.abs(x) + 1 if op == "Acosh" else x
    want = function(x.astype(np.float64)).astype(np.float32)
    bench.check(op, [x], expected=[want], rtol=4e-6, atol=0)


@pytest.mark.parametrize("op", ["Sum", "Mean", "Max", "Min"])
def test_any_number_of_operands(bench, draw, op):
    operands = [draw("float32", 2, 3, 4), draw("float32", 3, 1), draw("float32", 1)]
    bench.check(op, operands, dynamic=(0, 1))
    bench.check(op, operands[:1])


@pytest.mark.parametrize("base", ["float32", "float16", "int32", "int64"])
@pytest.mark.parametrize("exponent", ["float32", "int32", "int64"])
@pytest.mark.parametrize("number", [0, 1, 2, 3, 7])
def test_constant_powers(bench, rng, base, exponent, number):
    x = rng.integers(-9, 9, (3, 4)).astype(base)
    bench.check("Pow", [x, np.asarray(number, exponent)], const=(1,), rtol=2e-3)


@pytest.mark.parametrize("exponent", ["float32", "int32", "uint8"])
def test_powers_known_at_run_time(bench, rng, exponent):
    x, y = rng.random((3, 4)).astype(np.float32), rng.integers(0, 5, 4).astype(exponent)
    bench.check("Pow", [x, y])


def test_integer_to_a_power_that_is_no_integer_is_refused(bench):
    text = bench.refused("Pow", [np.int32([1, 2]), np.float32([0.5, 2])])
    assert text.startswith("EK303")
    assert "exponent" in text


def test_logic(bench, draw):
    for op in ("And", "Or", "Xor"):
        bench.check(op, [draw("bool", 2, 3), draw("bool", 3)], dynamic=(0,))
    bench.check("Not", [draw("bool", 2, 3)])


@pytest.mark.parametrize("dtype", INTEGERS)
def test_bits(bench, draw, dtype):
    x, y = draw(dtype, 3, 4, 9), draw(dtype, 4, 1)
    for op in ("BitwiseAnd", "BitwiseOr", "BitwiseXor"):
        bench.check(op, [x, y], dynamic=(0,))
        bench.check(op, [x, y], const=(1,))
    bench.check("BitwiseNot", [x])


@pytest.mark.parametrize("direction", ["LEFT", "RIGHT"])
@pytest.mark.parametrize("dtype", INTEGERS)
def test_shifts_beyond_all_bits_leave_the_sign(bench, draw, rng, dtype, direction):
    bits = 8 * np.dtype(dtype).itemsize
    low = 0 if dtype.startswith("u") else -3
    x, by = draw(dtype, 400), rng.integers(low, bits + 3, 400).astype(dtype)
    want = np.asarray([shifted(int(v), int(s), bits, direction) for v, s in zip(x, by, strict=True)], object)
    wrapped = np.asarray([int(v) & (2**bits - 1) for v in want], np.uint64).astype(f"uint{bits}").view(dtype)
    bench.check("BitShift", [x, by], {"direction": direction}, opset=28, expected=[wrapped])


def shifted(value, by, bits, direction):
    if not 0 <= by < bits:
        return -1 if direction == "RIGHT" and value < 0 else 0
    return value << by if direction == "LEFT" else value >> by


def test_float64_is_refused_rather_than_rounded(bench, draw):
    text = bench.refused("Exp", [draw("float64", 3)])
    assert text.startswith("EK303")
    assert "float64" in text


@pytest.mark.parametrize("dynamic", [(), (0,)], ids=["static", "dynamic"])
def test_float64_where_it_is_exact(bench, draw, dynamic):
    x, y = draw("float64", 2, 3, 4), draw("float64", 3, 1)
    for op in ("Add", "Sub", "Mul", "Max", "Min", "Less", "GreaterOrEqual", "Equal"):
        bench.check(op, [x, y], dynamic=dynamic, rtol=0, atol=0)
    for op in ("Neg", "Abs", "Sign"):
        bench.check(op, [x], dynamic=dynamic, rtol=0, atol=0)


@pytest.mark.parametrize(
    ("op", "function"),
    [("Add", np.add), ("Sub", np.subtract), ("Mul", np.multiply), ("Max", np.maximum), ("Min", np.minimum),
     ("Less", np.less), ("LessOrEqual", np.less_equal), ("Equal", np.equal)],
)  # fmt: skip
def test_special_values_of_float64(bench, op, function):
    special = np.asarray([*SPECIAL, 1e300, -1e-310, 5e-324])
    x, y = (v.ravel() for v in np.meshgrid(special, special))
    bench.check(op, [x, y], expected=[function(x, y)], rtol=0, atol=0)
    bench.check("IsNaN", [special], expected=[np.isnan(special)])
    bench.check("IsInf", [special], expected=[np.isinf(special)])
    bench.check("IsInf", [special], {"detect_positive": 0}, expected=[special == -np.inf])
