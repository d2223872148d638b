"""Facts of ops in the three dialects."""

from __future__ import annotations

import numpy as np
import pytest

from edgekit.compat.facts import facts_of
from edgekit.ir import Origin
from edgekit.lowering.coreml.builder import Slot
from edgekit.lowering.ledger import Emitted, Value
from tests.unit.compat.ops import const, conv, onnx, tflite, value, zeros


def test_tflite_convolution() -> None:
    op = conv((3, 5), stride=(2, 1), dilation=(1, 2), padding="VALID")
    assert (op.kernel, op.stride, op.dilation, op.padding, op.groups) == ((3, 5), (2, 1), (1, 2), "VALID", 1)
    assert op.activation == "NONE"
    assert [v.shape for v in op.tensors("feature-maps")] == [(1, 8, 8, 4), (1, 8, 8, 6)]
    assert [v.shape for v in op.tensors("all")] == [(1, 8, 8, 4), (6, 3, 5, 4), (6,), (1, 8, 8, 6)]
    assert op.tensors("axes") == ()


def test_tflite_transposed_convolution_finds_its_operands() -> None:
    op = tflite("TRANSPOSE_CONV", [const([1, 8, 8, 4]), zeros((4, 2, 2, 3)), value((1, 4, 4, 3))], [])
    assert [v.shape for v in op.ifms] == [(1, 4, 4, 3)]
    assert op.kernel == (2, 2)


def test_tflite_depthwise_has_a_group_per_channel() -> None:
    op = tflite("DEPTHWISE_CONV_2D", [value((1, 8, 8, 4)), zeros((1, 3, 3, 4))], [])
    assert (op.groups, op.kernel) == (4, (3, 3))


@pytest.mark.parametrize(
    ("name", "inputs", "attrs", "axes"),
    [
        ("MEAN", [value((1, 8, 8, 4)), const([-1, 1])], {}, (3, 1)),
        ("CONCATENATION", [value((1, 4)), value((1, 4))], {"axis": -1}, (1,)),
        ("SPLIT", [const(-1), value((1, 4))], {}, (1,)),
        ("SOFTMAX", [value((1, 4))], {}, (1,)),
        ("ADD", [value((1, 4))], {}, None),
    ],
)
def test_tflite_axes(name: str, inputs: list[Value | None], attrs: dict[str, int], axes: object) -> None:
    assert tflite(name, inputs, [value((1, 4))], **attrs).axes == axes


def test_sizes_go_by_letters() -> None:
    op = conv()
    assert [op.size(value(s), "C") for s in ((3,), (2, 3), (1, 8, 8, 4), (9, 1, 8, 8, 4))] == [3, 3, 4, 4]
    assert [op.size(value((2, 3)), axis) for axis in "NHWC"] == [1, 1, 2, 3]
    other = onnx("Relu", [value((2, 3, 8, 9))], [])
    assert [other.size(value((2, 3, 8, 9)), axis) for axis in "NCHW"] == [2, 3, 8, 9]
    assert [other.size(value((2, 3)), axis) for axis in "NCHW"] == [2, 3, 1, 1]


def test_onnx_convolution() -> None:
    op = onnx(
        "Conv", [value((1, 4, 8, 8)), zeros((6, 2, 3, 5))], [], group=2, pads=[1, 2, 1, 2], strides=[2, 1]
    )
    assert (op.kernel, op.stride, op.dilation, op.groups) == ((3, 5), (2, 1), (1, 1), 2)
    assert (op.padding, op.pads) == ("EXPLICIT", (1, 2, 1, 2))
    flat = onnx("Conv", [value((1, 4, 8)), zeros((6, 4, 3))], [], pads=[1, 1], dilations=[2])
    assert (flat.kernel, flat.dilation, flat.pads) == ((1, 3), (1, 2), (0, 1, 0, 1))
    deep = onnx("Conv", [value((1, 4, 8, 8, 8)), zeros((6, 4, 3, 3, 3))], [])
    assert (deep.kernel, deep.stride, deep.padding) == (None, None, None)


@pytest.mark.parametrize(
    ("op", "axes"),
    [
        (onnx("ReduceMean", [value((1, 4, 8, 8)), const([2, -1])], []), (2, 3)),
        (onnx("ReduceMean", [value((1, 4))], []), (0, 1)),
        (onnx("ReduceMean", [value((1, 4)), value((1,))], []), None),
        (onnx("Softmax", [value((1, 4))], []), (1,)),
        (onnx("Concat", [value((1, 4))], [], axis=-2), (0,)),
        (onnx("Relu", [value((1, 4))], []), None),
    ],
)
def test_onnx_axes(op: object, axes: object) -> None:
    assert op.axes == axes  # type: ignore[attr-defined]


def test_core_ml_convolution() -> None:
    x, weight = value((1, 4, 8, 8), "float32", None), zeros((6, 2, 3, 5), "float32", None)
    attrs = {"x": Slot(0), "weight": Slot(1), "strides": (2, 1), "groups": 2, "pad_type": "custom"}
    op = facts_of(Emitted("conv", (x, weight), (x,), attrs, Origin()), "coreml")
    assert (op.kernel, op.stride, op.dilation, op.groups) == ((3, 5), (2, 1), (1, 1), 2)
    assert op.padding == "EXPLICIT"
    assert op.ifms == (x,)
    assert op.tensors("weights") == (weight,)


def test_core_ml_takes_lists_of_operands() -> None:
    a, b = value((1, 4), "float32", None), value((1, 4), "float32", None)
    op = facts_of(
        Emitted("concat", (a, b), (), {"values": (Slot(0), Slot(1)), "axis": -1}, Origin()), "coreml"
    )
    assert op.ifms == (a, b)
    assert op.axes == (1,)
    assert op.attr("axis") == -1


def test_what_has_no_dtype_is_not_known() -> None:
    assert conv().dtype(Value(np.dtype(object), ())) is None
