"""Ops on quantised integers, unfolded: the same integers in ONNX Runtime but for rare roundings."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgekit import api
from edgekit.lowering.onnx.emit import executable
from edgekit.passes.pipeline import prepare
from edgekit.runners import runner_for
from edgekit.tflite.reader import read_tflite

MS = "com.microsoft"
RNG = np.random.default_rng(11)
KINDS = {"u8": np.uint8, "s8": np.int8}


class Build:
    """A model of one op on codes; the input `x` is quantised in front of it."""

    def __init__(self, shape: tuple[int, ...], dtype: Any) -> None:
        self.dtype, self.held, self.nodes = np.dtype(dtype), [], []
        self.zero = 128 if self.dtype == np.uint8 else 3
        self.shape = shape
        self.node("QuantizeLinear", ["x", *self.grid(0.02)], "qx")

    def constant(self, data: Any) -> str:
        name = f"c{len(self.held)}"
        self.held.append(numpy_helper.from_array(np.asarray(data), name))
        return name

    def grid(self, scale: float, zero: int | None = None) -> list[str]:
        point = self.zero if zero is None else zero
        return [self.constant(np.float32(scale)), self.constant(np.asarray(point, self.dtype))]

    def node(self, op: str, inputs: list[str], output: str, domain: str = "", **attrs: Any) -> None:
        self.nodes.append(helper.make_node(op, inputs, [output], domain=domain, **attrs))

    def model(self, output: str = "y", kind: int | None = None, opset: int = 17) -> onnx.ModelProto:
        made = helper.np_dtype_to_tensor_dtype(self.dtype) if kind is None else kind
        graph = helper.make_graph(
            self.nodes,
            "g",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, self.shape)],
            [helper.make_tensor_value_info(output, made, None)],
            self.held,
        )
        domains = [helper.make_opsetid("", opset), helper.make_opsetid(MS, 1)]
        return helper.make_model(graph, opset_imports=domains, ir_version=8)


def weights(b: Build, *shape: int, axis: int | None = None, dtype: Any = np.int8) -> tuple[list[str], Any]:
    count = 1 if axis is None else shape[axis]
    scale = np.asarray(0.01 + 0.002 * np.arange(count), np.float32).reshape(() if axis is None else -1)
    info = np.iinfo(dtype)
    data = RNG.integers(info.min, info.max, shape, dtype=dtype, endpoint=True)
    return [b.constant(v) for v in (data, scale, np.zeros(scale.shape, dtype))], scale


def conv(b: Build, axis: int | None) -> None:
    w, _ = weights(b, 5, 3, 3, 3, axis=axis)
    bias = b.constant(RNG.integers(-2000, 2000, 5).astype(np.int32))
    x = ["qx", *b.grid(0.02)]
    b.node("QLinearConv", [*x, *w, *b.grid(0.3), bias], "y", pads=[1, 1, 1, 1], strides=[2, 1])


def matmul(b: Build) -> None:
    w, _ = weights(b, 6, 7, axis=None)
    b.node("QLinearMatMul", ["qx", *b.grid(0.02), *w, *b.grid(0.3)], "y")


def gemm(b: Build, transposed: int) -> None:
    w, _ = weights(b, *((7, 6) if transposed else (6, 7)))
    bias = b.constant(RNG.integers(-2000, 2000, 7).astype(np.int32))
    b.node("QGemm", ["qx", *b.grid(0.02), *w, bias, *b.grid(0.3)], "y", MS, transB=transposed)


def binary(b: Build, op: str) -> None:
    other = b.constant(RNG.integers(0, 120, (6,)).astype(b.dtype))
    b.node(op, ["qx", *b.grid(0.02), other, *b.grid(0.05, 7), *b.grid(0.1)], "y", MS)


def function(b: Build, op: str, scale: float, zero: int | None = None, **attrs: Any) -> None:
    b.node(op, ["qx", *b.grid(0.02), *b.grid(scale, zero)], "y", MS, **attrs)


def concat(b: Build) -> None:
    other = b.constant(RNG.integers(0, 120, (4, 2)).astype(b.dtype))
    b.node("QLinearConcat", [*b.grid(0.06), "qx", *b.grid(0.02), other, *b.grid(0.05, 9)], "y", MS, axis=1)


IMAGE, ROWS = (1, 3, 8, 8), (4, 6)
FORMS = {
    "conv": (IMAGE, lambda b: conv(b, None)),
    "conv per channel": (IMAGE, lambda b: conv(b, 0)),
    "matmul": (ROWS, matmul),
    "gemm": (ROWS, lambda b: gemm(b, 0)),
    "gemm of transposed weights": (ROWS, lambda b: gemm(b, 1)),
    "add": (ROWS, lambda b: binary(b, "QLinearAdd")),
    "mul": (ROWS, lambda b: binary(b, "QLinearMul")),
    "sigmoid": (ROWS, lambda b: function(b, "QLinearSigmoid", 1 / 256, 0)),
    "leaky relu": (ROWS, lambda b: function(b, "QLinearLeakyRelu", 0.02, alpha=0.1)),
    "softmax": (ROWS, lambda b: function(b, "QLinearSoftmax", 1 / 256, 0, axis=1, opset=13)),
    "softmax of old": (IMAGE, lambda b: function(b, "QLinearSoftmax", 1 / 256, 0, axis=1, opset=11)),
    "average": (
        IMAGE,
        lambda b: function(b, "QLinearAveragePool", 0.02, kernel_shape=[3, 3], strides=[2, 2]),
    ),
    "global average": (IMAGE, lambda b: function(b, "QLinearGlobalAveragePool", 0.005)),
    "concat": (ROWS, concat),
}


def run(payload: bytes, x: np.ndarray) -> np.ndarray:
    with runner_for("onnx", isolate=False) as runner:
        (result,) = runner.run(payload, {"x": x}).values()
    return result


@pytest.mark.parametrize("dtype", KINDS)
@pytest.mark.parametrize("name", FORMS)
def test_the_unfolded_form_gives_the_same_integers(name: str, dtype: str) -> None:
    shape, build = FORMS[name]
    b = Build(shape, KINDS[dtype])
    build(b)
    model = b.model()
    x = (RNG.standard_normal(shape) * 1.5).astype(np.float32)
    prepared = prepare(api.load(model))
    left = {(n.domain, n.op_type) for n in prepared.model.ir.graph if "QLinear" in n.op_type or n.domain}
    assert not left
    want = run(model.SerializeToString(), x)
    got = run(executable(prepared.model).to_proto().SerializeToString(), x)
    assert got.dtype == want.dtype
    assert got.shape == want.shape
    off = np.abs(got.astype(int) - want.astype(int))
    assert off.max() <= 1
    assert (off > 0).mean() < 0.05


def test_scales_computed_at_run_time_stay_as_they_are() -> None:
    b = Build(ROWS, np.uint8)
    w, _ = weights(b, 6, 7)
    b.nodes.append(helper.make_node("ReduceMax", ["x"], ["s"], keepdims=0))
    b.node("QLinearMatMul", ["qx", "s", b.grid(1)[1], *w, *b.grid(0.3)], "y")
    kinds = [n.op_type for n in prepare(api.load(b.model())).model.ir.graph]
    assert "QLinearMatMul" in kinds


@pytest.mark.parametrize("axis", [None, 1])
def test_an_integer_product_that_is_scaled_becomes_one_on_reals(axis: int | None) -> None:
    b = Build(ROWS, np.uint8)
    (w, _, _), scale = weights(b, 6, 7, axis=axis)
    factor = b.constant(np.asarray(scale * np.float32(0.02), np.float32))
    b.node("MatMulInteger", ["qx", w, b.grid(1)[1]], "sums")
    b.node("Cast", ["sums"], "real", to=TensorProto.FLOAT)
    b.node("Mul", ["real", factor], "y")
    model = b.model(kind=TensorProto.FLOAT)
    prepared = prepare(api.load(model))
    assert {n.op_type for n in prepared.model.ir.graph} == {"QuantizeLinear", "DequantizeLinear", "MatMul"}
    x = RNG.standard_normal(ROWS).astype(np.float32)
    want = run(model.SerializeToString(), x)
    got = run(executable(prepared.model).to_proto().SerializeToString(), x)
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-5)


def test_a_pool_between_them_reaches_its_integer_kernel() -> None:
    b = Build(IMAGE, np.uint8)
    conv(b, None)
    b.node("MaxPool", ["y"], "p", kernel_shape=[2, 2], strides=[2, 2])
    b.node("DequantizeLinear", ["p", *b.grid(0.3)], "z")
    artifact = api.convert(b.model("z", TensorProto.FLOAT))
    assert artifact.verification is not None
    assert artifact.verification.holds
    kinds = {op.op for op in read_tflite(artifact.model_file.read()).main.ops}
    assert kinds == {"QUANTIZE", "TRANSPOSE", "PAD", "CONV_2D", "MAX_POOL_2D", "DEQUANTIZE"}
