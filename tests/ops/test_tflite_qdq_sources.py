"""QDQ models as other tools write them: integer kernels, and steps against ONNX Runtime."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgekit import api
from edgekit.artifact import Artifact, Verdict
from edgekit.tflite.reader import read_tflite
from tests.ops.test_tflite_integer import Graph

RNG = np.random.default_rng(12)
KERNELS = {"CONV_2D", "MAX_POOL_2D", "FULLY_CONNECTED"}


def float_net() -> onnx.ModelProto:
    """Conv, Relu, MaxPool, Conv, Clip, mean, Gemm."""

    def held(name: str, *shape: int) -> Any:
        return numpy_helper.from_array((RNG.standard_normal(shape) * 0.3).astype(np.float32), name)

    nodes = [
        helper.make_node("Conv", ["x", "w1", "b1"], ["c1"], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c1"], ["r1"]),
        helper.make_node("MaxPool", ["r1"], ["p1"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Conv", ["p1", "w2", "b2"], ["c2"]),
        helper.make_node("Clip", ["c2", "low", "high"], ["k2"]),
        helper.make_node("GlobalAveragePool", ["k2"], ["g"]),
        helper.make_node("Flatten", ["g"], ["f"]),
        helper.make_node("Gemm", ["f", "w3", "b3"], ["y"], transB=1),
    ]
    constants = [
        held("w1", 6, 3, 3, 3), held("b1", 6), held("w2", 8, 6, 3, 3), held("b2", 8), held("w3", 5, 8),
        held("b3", 5), *(numpy_helper.from_array(np.float32(v), n) for v, n in ((0, "low"), (6, "high"))),
    ]  # fmt: skip
    ports = [
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, s)]
        for n, s in (("x", [1, 3, 10, 10]), ("y", [1, 5]))
    ]
    graph = helper.make_graph(nodes, "net", *ports, constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


def inputs(count: int = 6) -> list[dict[str, Any]]:
    return [{"x": RNG.standard_normal((1, 3, 10, 10)).astype(np.float32)} for _ in range(count)]


def ops_of(artifact: Artifact) -> list[str]:
    return [op.op for op in read_tflite(artifact.model_file.read()).main.ops]


QUANTISER: dict[str, tuple[str, str, dict[str, Any]]] = {
    "uint8 and int8": ("QUInt8", "QInt8", {}),
    "int8": ("QInt8", "QInt8", {}),
    "per channel": ("QInt8", "QInt8", {"per_channel": True}),
    "symmetric activations": ("QInt8", "QInt8", {"extra_options": {"ActivationSymmetric": True}}),
    "zero point 128": ("QUInt8", "QUInt8",
                       {"extra_options": {"ActivationSymmetric": True, "WeightSymmetric": True}}),
    "weights with a zero point": ("QUInt8", "QUInt8", {}),
    "bias in float": ("QUInt8", "QInt8", {"extra_options": {"QuantizeBias": False}}),
    "a pair for each reader": ("QInt8", "QInt8", {"extra_options": {"DedicatedQDQPair": True}}),
    "weights between both": ("QInt8", "QInt8", {"extra_options": {"AddQDQPairToWeight": True}}),
}  # fmt: skip


@pytest.mark.parametrize("name", QUANTISER)
def test_models_of_onnx_runtimes_quantiser(name: str, tmp_path: Path) -> None:
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self.waiting = inputs()

        def get_next(self) -> dict[str, Any] | None:
            return self.waiting.pop() if self.waiting else None

    activations, weights, options = QUANTISER[name]
    source, target = tmp_path / "float.onnx", tmp_path / "qdq.onnx"
    onnx.save(float_net(), source)
    kinds = {"activation_type": QuantType[activations], "weight_type": QuantType[weights]}
    quantize_static(source, target, Reader(), quant_format=QuantFormat.QDQ, **kinds, **options)
    artifact = api.convert(target, inputs=inputs(3))
    assert artifact.verification is not None
    assert artifact.verification.verdict is Verdict.VERIFIED
    assert set(ops_of(artifact)) >= KERNELS
    assert not [d for d in artifact.diagnostics if d.code == "EK401"]


def test_activations_of_16_bits_stay_exact(tmp_path: Path) -> None:
    """There are no integer kernels for them yet; the model is computed in float, as it is written."""
    g = Graph("int16")
    x = g.input("x", [2, 3, 6, 6], -1.5, 1.5)
    w, _ = g.weights(RNG.normal(size=(4, 3, 3, 3)).astype(np.float32), 0)
    y = g.fake(g.op("Conv", x, w), -9, 9)
    artifact = api.convert(g.model(y))
    assert artifact.verification is not None
    assert artifact.verification.holds


@pytest.fixture
def held(bench: Any) -> Any:
    """Converts a model and holds it to one step against ONNX Runtime; returns the ops."""

    def check(g: Graph, y: str, *shape: int) -> list[str]:
        model, feed = g.model(y), {"x": (RNG.standard_normal(shape) * 0.8).astype(np.float32)}
        (want,), (got,) = bench._source(model, feed), bench.run(model, feed)
        steps = np.rint(np.abs(got.astype(np.float64) - want) / g.scales[y])
        assert steps.max() <= 1
        return ops_of(api.convert(model, verify=False))

    return check


def inner(ops: list[str]) -> set[str]:
    return set(ops) - {"TRANSPOSE", "PAD"}


def test_weights_dequantised_once_for_two_readers(held: Any) -> None:
    g = Graph()
    x = g.input("x", [1, 4, 8, 8], -2, 2)
    w, _ = g.weights(RNG.normal(size=(4, 4, 3, 3)).astype(np.float32) * 0.2, 0)
    first = g.fake(g.op("Conv", x, w, pads=[1, 1, 1, 1]), -3, 3)
    y = g.fake(g.op("Conv", first, w, pads=[1, 1, 1, 1]), -3, 3)
    ops = held(g, y, 1, 4, 8, 8)
    assert inner(ops) == {"QUANTIZE", "CONV_2D", "DEQUANTIZE"}
    assert ops.count("CONV_2D") == 2


def test_one_pair_for_two_readers(held: Any) -> None:
    g = Graph()
    x = g.input("x", [1, 4, 8, 8], -2, 2)
    w, _ = g.weights(RNG.normal(size=(4, 4, 1, 1)).astype(np.float32) * 0.3, 0)
    shared = g.fake(g.op("Relu", g.op("Conv", x, w)), 0, 2)
    pooled = g.fake(g.op("MaxPool", shared, kernel_shape=[3, 3], pads=[1, 1, 1, 1]), 0, 2)
    ops = held(g, g.fake(g.op("Add", shared, pooled), 0, 4), 1, 4, 8, 8)
    assert inner(ops) == {"QUANTIZE", "CONV_2D", "MAX_POOL_2D", "ADD", "DEQUANTIZE"}


def test_a_pair_written_twice_is_one(held: Any) -> None:
    g = Graph()
    x = g.input("x", [1, 4, 8, 8], -2, 2)
    w, _ = g.weights(RNG.normal(size=(4, 4, 1, 1)).astype(np.float32) * 0.3)
    once = g.fake(g.op("Conv", x, w), -2, 2)
    again = g.fake(once, -2, 2)
    ops = held(g, g.fake(g.op("Add", once, again), -4, 4), 1, 4, 8, 8)
    assert ops.count("QUANTIZE") == 1
    assert inner(ops) == {"QUANTIZE", "CONV_2D", "ADD", "DEQUANTIZE"}


@pytest.mark.parametrize("limit", ["Relu", "Clip"])
@pytest.mark.parametrize("place", ["before", "behind"])
def test_limits_before_and_behind_a_pair(held: Any, limit: str, place: str) -> None:
    g = Graph()
    x = g.input("x", [1, 4, 8, 8], -2, 2)
    w, _ = g.weights(RNG.normal(size=(4, 4, 1, 1)).astype(np.float32) * 0.3, 0)
    bounds = [g.constant(np.float32(v)) for v in (0, 1)] if limit == "Clip" else []
    c = g.op("Conv", x, w)
    if place == "before":
        y = g.fake(g.op(limit, c, *bounds), 0, 1)
    else:
        y = g.fake(g.op(limit, g.fake(c, -2, 2), *bounds), 0, 1)
    assert "CONV_2D" in held(g, y, 1, 4, 8, 8)


@pytest.mark.torch
def test_quantised_ops_as_pytorchs_pt2e_leaves_them_in_a_program() -> None:
    """`convert_pt2e` ends in these calls; the exporter makes QuantizeLinear and DequantizeLinear of them."""
    torch = pytest.importorskip("torch", reason="needs the torch extra")
    pytest.importorskip("torch.ao.quantization.fx._decomposed", reason="this PyTorch has no such ops")
    ops, integers = torch.ops.quantized_decomposed, (-128, 127, torch.int8)

    def both(value: Any, scale: float, zero: int) -> Any:
        codes = ops.quantize_per_tensor.default(value, scale, zero, *integers)
        return ops.dequantize_per_tensor.default(codes, scale, zero, *integers)

    class Net(torch.nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            codes = RNG.integers(-127, 128, (6, 3, 3, 3), dtype=np.int8)
            self.register_buffer("codes", torch.from_numpy(codes))
            self.register_buffer("scale", torch.linspace(0.002, 0.004, 6))
            self.register_buffer("zero", torch.zeros(6, dtype=torch.int64))

        def forward(self, x: Any) -> Any:
            grid = (self.scale, self.zero, 0, -127, 127, torch.int8)
            w = ops.dequantize_per_channel.default(self.codes, *grid)
            y = torch.relu(torch.nn.functional.conv2d(both(x, 0.03, 2), w, padding=1))
            return both(torch.nn.functional.adaptive_avg_pool2d(both(y, 0.02, -128), 1), 0.01, -128)

    artifact = api.convert(Net().eval(), example_inputs=(torch.zeros(1, 3, 8, 8),))
    assert artifact.verification is not None
    assert artifact.verification.holds
    assert inner(ops_of(artifact)) == {"QUANTIZE", "CONV_2D", "MEAN", "RESHAPE", "DEQUANTIZE"}
