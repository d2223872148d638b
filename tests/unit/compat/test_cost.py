"""Costs against a direct count, and estimates against the roofline they name."""

from __future__ import annotations

import itertools
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.compat.cost import ANY, Cost, Machine, cost_of, seconds, size_of
from edgekit.lowering.coreml.builder import Slot
from edgekit.lowering.ledger import Emitted, Value


def tensor(*shape: int | None, dtype: Any = np.float32) -> Value:
    return Value(np.dtype(dtype), shape)


def constant(*shape: int, dtype: Any = np.float32) -> Value:
    return Value(np.dtype(dtype), shape, np.zeros(shape, dtype))


def counted_conv(n: int, h: int, w: int, c: int, m: int, k: int) -> int:
    """Counts the products of a convolution without padding, one by one."""
    products = 0
    for _ in itertools.product(range(n), range(h - k + 1), range(w - k + 1), range(m)):
        products += sum(1 for _ in itertools.product(range(k), range(k), range(c)))
    return products


@given(st.tuples(*(st.integers(1, 4),) * 5), st.integers(1, 3))
def test_a_convolution_costs_the_same_in_every_dialect(sizes: tuple[int, ...], k: int) -> None:
    n, h, w, c, m = sizes
    h, w = h + k, w + k
    x, y = tensor(n, h, w, c), tensor(n, h - k + 1, w - k + 1, m)
    tflite = cost_of("tflite", Emitted("CONV_2D", (x, constant(m, k, k, c), constant(m)), (y,)))
    x, y = tensor(n, c, h, w), tensor(n, m, h - k + 1, w - k + 1)
    weights, bias = constant(m, c, k, k), constant(m)
    onnx = cost_of("onnx", Emitted("Conv", (x, weights, bias), (y,)))
    attrs = {"weight": Slot(0), "x": Slot(2), "bias": Slot(1), "pad_type": "valid"}
    coreml = cost_of("coreml", Emitted("conv", (weights, bias, x), (y,), attrs))
    assert tflite == onnx == coreml
    assert tflite.macs == counted_conv(n, h, w, c, m, k)
    assert tflite.parameters == m * c * k * k + m
    assert tflite.moved == 4 * (n * c * h * w + m * c * k * k + m + n * m * (h - k + 1) * (w - k + 1))


def test_what_moves_nothing_or_little() -> None:
    x, y = tensor(8, 8), tensor(2, 8)
    begin = constant(2, dtype=np.int32)
    assert cost_of("tflite", Emitted("RESHAPE", (x, begin), (tensor(64),))).moved == 0
    assert cost_of("tflite", Emitted("SLICE", (x, begin, begin), (y,))).moved == 2 * y_bytes(y) + 8
    assert cost_of("onnx", Emitted("Shape", (x,), (tensor(2, dtype=np.int64),))).moved == 16
    assert cost_of("tflite", Emitted("ADD", (x, x), (x,))).moved == 2 * 8 * 8 * 4


def y_bytes(value: Value) -> int:
    return int(np.prod([d or 1 for d in value.shape])) * value.dtype.itemsize


def test_unknown_sizes_stay_unknown_but_for_a_batch() -> None:
    assert cost_of("onnx", Emitted("Relu", (tensor(1, None),), (tensor(1, None),))).moved is None
    assert cost_of("onnx", Emitted("Relu", (tensor(None, 4),), (tensor(None, 4),))).moved == 32
    weights = constant(4, 3)
    open_ = Emitted("FULLY_CONNECTED", (tensor(2, None), weights), (tensor(2, None),))
    assert cost_of("tflite", open_).macs is None


def test_narrow_integers_are_packed() -> None:
    assert size_of(tensor(5, dtype=ml_dtypes.int4)) == 3
    assert size_of(tensor(5, dtype=np.int8)) == 5


def test_an_lstm_multiplies_all_of_its_weights_at_each_step() -> None:
    gates, recurrent = constant(4, 3), constant(4, 4)
    operands = (tensor(2, 5, 3), *(gates,) * 4, *(recurrent,) * 4)
    op = Emitted("UNIDIRECTIONAL_SEQUENCE_LSTM", operands, (tensor(2, 5, 4),))
    assert cost_of("tflite", op).macs == 2 * 5 * (4 * 12 + 4 * 16)


@pytest.mark.parametrize(
    ("machine", "expected"),
    [
        (Machine({"int8": 100.0}, 10.0), max(2 * 1000 / 100, 500 / 10)),
        (Machine({"int8": 10.0}, 1000.0), 2 * 1000 / 10),
        (Machine({ANY: 50.0}), 2 * 1000 / 50),
        (Machine({}, 10.0), 50.0),
        (Machine({"float32": 1.0}), None),
        (Machine(), None),
    ],
)
def test_the_estimate_is_the_roofline(machine: Machine, expected: float | None) -> None:
    assert seconds(Cost(1000, 10, 0, 0, 500), "int8", machine) == expected


def test_without_arithmetic_elements_count() -> None:
    assert seconds(Cost(0, 30, 0, 0, 0), "int8", Machine({"int8": 10.0})) == 3
    assert seconds(Cost(None, 30, 0, 0, 0), "int8", Machine({"int8": 10.0})) is None


def test_sums_know_what_they_do_not_know() -> None:
    assert Cost(1, 2, 3, 4, 5) + Cost(1, 2, 3, 4, 5) == Cost(2, 4, 6, 8, 10)
    assert (Cost(1) + Cost(None)).macs is None
