"""Elementwise ops, integers, casts, indices and shapes on Core ML against ONNX Runtime."""

from __future__ import annotations

import numpy as np
import pytest

INTEGERS = ("int8", "uint8", "int16", "uint16", "int32", "uint32")


@pytest.mark.parametrize("op", ["Add", "Sub", "Mul"])
@pytest.mark.parametrize("dtype", INTEGERS)
def test_integers_wrap_as_their_dtype_does(coreml, draw, op, dtype):
    x, y = draw(dtype, 40), draw(dtype, 40)
    with np.errstate(over="ignore"):
        expected = {"Add": x + y, "Sub": x - y, "Mul": x * y}[op]
    coreml.check(op, [x, y], expected=[expected])


@pytest.mark.parametrize("op", ["Add", "Mul", "Sub"])
def test_int64_is_computed_where_it_is_proved_to_fit(coreml, op):
    x = np.array([[3, 1], [2, 7]], np.float32)
    chain = coreml.check("ArgMax", [x], {"axis": 1})
    assert chain[0].dtype == np.int64
    wide = np.array([1, 2], np.int64)
    assert "could leave int32" in coreml.refused(op, [wide, wide])
    coreml.check("Sub", [wide, np.array(0, np.int64)], const=(1,))
    assert "does not fit" in coreml.refused("Max", [wide, np.array(2**40)], const=(1,))


@pytest.mark.parametrize("dtype", ["int8", "int32", "uint8"])
def test_division_and_remainder_take_onnx_signs(coreml, draw, dtype):
    x, y = draw(dtype, 50), draw(dtype, 50)
    y[y == 0] = 3
    if dtype != "uint8":
        y[y == -1] = 2
    coreml.check("Div", [x, y])
    coreml.check("Mod", [x, y])
    coreml.check("Mod", [x, y], {"fmod": 1})


@pytest.mark.parametrize("op", ["BitwiseAnd", "BitwiseOr", "BitwiseXor"])
@pytest.mark.parametrize("dtype", ["int8", "uint16", "int32", "uint32"])
def test_bits(coreml, draw, op, dtype):
    coreml.check(op, [draw(dtype, 30), draw(dtype, 30)])


@pytest.mark.parametrize("direction", ["LEFT", "RIGHT"])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "uint32"])
def test_shifts(coreml, draw, direction, dtype):
    width = 8 * np.dtype(dtype).itemsize
    coreml.check("BitShift", [draw(dtype, width), np.arange(width).astype(dtype)], {"direction": direction})


@pytest.mark.parametrize("op", ["Less", "GreaterOrEqual", "Equal", "Max", "Min"])
def test_uint32_is_ordered_beyond_the_sign_bit(coreml, op):
    x = np.array([0, 1, 2**31 - 1, 2**31, 2**32 - 1], np.uint32)
    if op in ("Max", "Min"):
        coreml.check(op, [x, x[::-1].copy()])
        coreml.check(f"Reduce{op}", [x], {"keepdims": 0})
    else:
        coreml.check(op, [x[:, None], x[None]])


@pytest.mark.parametrize(
    "source", ["float32", "float16", "bool", "int8", "uint8", "int32", "uint32", "int64"]
)
@pytest.mark.parametrize(
    "target", ["float32", "float16", "bool", "int8", "uint8", "int16", "int32", "uint32"]
)
def test_cast(coreml, source, target):
    if source.startswith("float") and target == "uint32":
        return  # beyond int32, refused below
    limit = 100 if target != "uint8" or source.startswith("float") else 300
    low = 0 if source.startswith("u") or (target.startswith("u") and source.startswith("float")) else -limit
    x = np.linspace(low, limit, 41).astype(source)
    to = {"float32": 1, "uint8": 2, "int8": 3, "int16": 5, "int32": 6, "bool": 9, "float16": 10, "uint32": 12}
    with np.errstate(over="ignore"):
        coreml.check("Cast", [x], {"to": to[target]}, expected=[x.astype(target)])


def test_casts_without_a_place_are_refused(coreml):
    assert "EK304" in coreml.refused("Cast", [np.ones(2, np.float32)], {"to": 7})
    assert "float64" in coreml.refused("Cast", [np.ones(2, np.float32)], {"to": 11})
    assert "bfloat16" in coreml.refused("Cast", [np.ones(2, np.float32)], {"to": 16})


def test_logarithms_and_quotients_have_no_epsilon(coreml):
    x = np.array([0, 1e-38, 1, np.inf], np.float32)
    coreml.check("Log", [x])
    coreml.check("Reciprocal", [x])


@pytest.mark.parametrize("op", ["Asinh", "Acosh", "Softplus", "Mish", "Selu", "Celu", "HardSwish", "Erf"])
def test_functions_on_their_whole_range(coreml, op):
    x = np.array([1e-4, 0.5, 1, 1.5, 3, 20, 80], np.float32)
    x = np.maximum(x, 1) if op == "Acosh" else np.concatenate([-x, x])
    coreml.check(op, [x], rtol=2e-5)


def test_select_broadcasts_its_condition(coreml):
    cond = np.array([[True], [False], [True]])
    coreml.check("Where", [cond, np.float32(1), np.arange(4, dtype=np.float32)])
    coreml.check("Where", [cond, np.float32(1), np.arange(4, dtype=np.float32)], dynamic=(0,))


@pytest.mark.parametrize("dtype", ["float32", "bool", "int64", "uint8"])
def test_indices_count_from_both_ends(coreml, draw, dtype):
    x = draw(dtype, 4, 5) if dtype != "int64" else np.arange(20).reshape(4, 5)
    coreml.check("Gather", [x, np.array([[-1, 0], [2, -4]])], {"axis": 0})
    coreml.check("GatherElements", [x, np.array([[-1, 0], [2, -4]])], {"axis": 1})
    coreml.check("GatherND", [x, np.array([[0, -1], [-2, 3]])])
    if dtype in ("float32", "bool"):
        update = draw(dtype, 2, 2)
        coreml.check("ScatterElements", [x, np.array([[-1, 0], [2, -4]]), update], {"axis": 1})


SLICES = [
    ([1], [-1], [0], [2]),
    ([-1, 4], [-9, 1], [1, 0], [-1, -2]),
    ([0, 1], [2**63 - 1, 3], [0, 1], [1, 1]),
]


@pytest.mark.parametrize(("starts", "ends", "axes", "steps"), SLICES)
@pytest.mark.parametrize("dynamic", [(), {0: (0, 1)}])
def test_slice(coreml, draw, starts, ends, axes, steps, dynamic):
    operands = [draw("float32", 6, 5), *(np.array(v) for v in (starts, ends, axes, steps))]
    if dynamic and min(steps) < 0:
        assert "EK305" in coreml.refused("Slice", operands, const=(1, 2, 3, 4), dynamic=dynamic)
    else:
        coreml.check("Slice", operands, const=(1, 2, 3, 4), dynamic=dynamic)


@pytest.mark.parametrize("mode", ["constant", "reflect", "edge", "wrap"])
@pytest.mark.parametrize("dtype", ["float32", "int32"])
def test_pad(coreml, draw, mode, dtype):
    x = draw(dtype, 2, 3, 4, 5)
    for pads in ([0, 0, 1, 2, 0, 0, 2, 1], [1, 2, 0, 3, 1, 0, 3, 1], [0, 0, -1, 1, 0, 0, 2, -2]):
        coreml.check("Pad", [x, np.array(pads)], {"mode": mode}, const=(1,))


def test_sizes_at_run_time(coreml, draw):
    x = draw("float32", 2, 3, 4)
    coreml.check("Shape", [x], dynamic=(0,))
    coreml.check("Size", [x], dynamic=(0,))
    coreml.check("Flatten", [x], {"axis": 2}, dynamic=(0,))
    coreml.check("Expand", [draw("float32", 3, 1), np.array([2, 3, 4])])
    coreml.check("Reshape", [x, np.array([0, -1])])
    coreml.check("NonZero", [np.array([[1, 0], [0, 2]], np.float32)])
    coreml.check("Range", [np.float32(v) for v in (0.7, -3, -0.3)], rtol=1e-5)


def test_einsum_and_top_k(coreml, draw):
    coreml.check(
        "Einsum", [draw("float32", 2, 3, 4), draw("float32", 4, 3, 5)], {"equation": "bij,jik->bk"}, atol=1e-4
    )
    coreml.check("TopK", [np.array([[3, 1, 3, 2]], np.float32), np.array([3])], outputs=2, const=(1,))
    coreml.check("CumSum", [draw("float32", 3, 4), np.array(1)], {"reverse": 1, "exclusive": 1}, const=(1,))
