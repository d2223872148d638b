"""Quantised models on TVM: sums of integers, held to the QDQ model in ONNX Runtime in steps."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgekit import api
from edgekit.diagnostics import EdgekitError
from edgekit.lowering.op import LowerOptions
from edgekit.passes.decompose import expand
from edgekit.passes.pipeline import prepare
from edgekit.runners import runner_for

pytest.importorskip("tvm", reason="apache-tvm is not installed")


class Network:
    """A QDQ model under construction; activations are int8 or uint8 with a zero point."""

    def __init__(self, dtype: str = "int8") -> None:
        self.dtype = np.dtype(dtype)
        self.rng = np.random.default_rng(5)
        self.nodes: list[Any] = []
        self.held: list[Any] = []
        self.inputs: list[Any] = []
        self.scale = {"": 1.0}

    def constant(self, data: Any) -> str:
        name = f"c{len(self.held)}"
        self.held.append(numpy_helper.from_array(np.asarray(data), name))
        return name

    def op(self, kind: str, *inputs: str, **attrs: Any) -> str:
        name = f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], name=f"n{len(self.nodes)}", **attrs))
        return name

    def input(self, shape: list[int]) -> str:
        name = f"x{len(self.inputs)}"
        self.inputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))
        return self.fake(name, 3.0)

    def fake(self, name: str, reach: float, zero: int = 11) -> str:
        """Quantises to about [-reach, reach] and back."""
        scale = np.float32(reach / 127)
        point = self.dtype.type(zero + (128 if self.dtype.kind == "u" else 0))
        parameters = [self.constant(scale), self.constant(point)]
        result = self.op("DequantizeLinear", self.op("QuantizeLinear", name, *parameters), *parameters)
        self.scale[result] = float(scale)
        return result

    def weights(self, shape: tuple[int, ...], axis: int | None = 0, zero: int = 0) -> tuple[str, Any]:
        codes = self.rng.integers(-127, 128, shape).astype(np.int8)
        count = 1 if axis is None else shape[axis]
        scale = self.rng.uniform(0.002, 0.006, count).astype(np.float32)
        points = np.full(count, zero, np.int8)
        if axis is None:
            scale, points = scale.reshape(()), points.reshape(())
        attrs = {} if axis is None else {"axis": axis}
        parts = [self.constant(codes), self.constant(scale), self.constant(points)]
        return self.op("DequantizeLinear", *parts, **attrs), scale

    def layer(self, kind: str, x: str, shape: tuple[int, ...], channel: int = 0, **attrs: Any) -> str:
        """A product with weights and a bias of int32."""
        w, scale = self.weights(shape, channel)
        units = (scale * np.float32(self.scale[x])).astype(np.float32)
        whole = self.rng.integers(-2000, 2000, units.shape).astype(np.int32)
        bias = self.op("DequantizeLinear", self.constant(whole), self.constant(units), axis=0)
        return self.op(kind, x, w, bias, **attrs)

    def model(self, *results: str) -> onnx.ModelProto:
        outputs = [helper.make_tensor_value_info(r, TensorProto.FLOAT, None) for r in results]
        graph = helper.make_graph(self.nodes, "qdq", self.inputs, outputs, self.held)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
        return onnx.shape_inference.infer_shapes(model)


def ledger(model: onnx.ModelProto, *, required: bool = False) -> Any:
    """Lowers a model without compiling it."""
    from edgekit.lowering.tvm import lower_tvm

    options = LowerOptions(require_full_integer=required)
    return lower_tvm(prepare(api.load(model)).model, expand, options)


def floats(lowered: Any, *names: str) -> list[str]:
    """Returns the kernels of some names that read or write floats."""
    return [
        op.op
        for op in lowered.main.ops
        if op.op in names and any(v is not None and v.dtype.kind == "f" for v in (*op.inputs, *op.outputs))
    ]


PRODUCTS = ("conv", "conv2d", "conv_transpose", "matmul")
MOVES = ("max_pool", "concat", "transpose", "reshape")


def steps(network: Network, model: onnx.ModelProto, result: str, samples: int = 2) -> Any:
    """Runs both runtimes; returns the steps that each element is off."""
    artifact = api.convert(model, "tvm", verify=False)
    assert artifact.recipe["integer"]
    off = []
    with runner_for("onnx", isolate=False) as runner:
        for seed in range(samples):
            rng = np.random.default_rng(seed)
            feed = {
                v.name: rng.normal(size=[d.dim_value for d in v.type.tensor_type.shape.dim]).astype(
                    np.float32
                )
                for v in model.graph.input
            }
            want = runner.run(model.SerializeToString(), feed)[result]
            got = api.run(artifact, feed, isolate=False)[result]
            assert got.shape == want.shape
            off.append(np.rint(np.abs(got.astype(np.float64) - want) / network.scale[result]).reshape(-1))
    return np.concatenate(off)


@pytest.mark.parametrize("dtype", ["int8", "uint8"])
def test_a_network_computes_in_integers(dtype: str) -> None:
    g = Network(dtype)
    x = g.input([2, 4, 12, 10])
    a = g.fake(g.op("Relu", g.layer("Conv", x, (16, 4, 3, 3), pads=[1, 1, 1, 1], strides=[2, 1])), 6)
    d = g.fake(g.layer("Conv", a, (16, 1, 3, 3), group=16, pads=[1, 1, 1, 1]), 8)
    s = g.fake(g.op("Add", a, d), 9)
    p = g.fake(g.op("MaxPool", s, kernel_shape=[2, 2], strides=[2, 2]), 9)
    c = g.fake(g.op("Concat", p, p, axis=1), 9)
    m = g.fake(g.op("GlobalAveragePool", c), 4)
    f = g.op("Flatten", m)
    g.scale[f] = g.scale[m]
    y = g.fake(g.layer("Gemm", f, (10, 32), transB=1), 8)
    model = g.model(y)
    lowered, integer = ledger(model)
    assert integer
    assert lowered.diagnostics == ()
    assert floats(lowered, *PRODUCTS, *MOVES) == []
    off = steps(g, model, y)
    assert (off > 0).mean() <= 0.05
    assert off.max() <= 1


@pytest.mark.parametrize(("shape", "axis"), [((8, 6), 1), ((8, 6), None), ((3, 8, 6), None)])
def test_products_of_matrices(shape: tuple[int, ...], axis: int | None) -> None:
    g = Network()
    x = g.input([3, 5, 8])
    w, _ = g.weights(shape, axis, zero=0 if axis is None else 3)
    y = g.fake(g.op("MatMul", x, w), 6)
    model = g.model(y)
    assert floats(ledger(model)[0], *PRODUCTS) == []
    assert steps(g, model, y).max() == 0


def test_products_of_activations_and_transposed_convolutions() -> None:
    g = Network("uint8")
    a, b = g.input([2, 6, 9]), g.input([2, 9, 7])
    y = g.fake(g.op("MatMul", a, b), 30)
    model = g.model(y)
    assert floats(ledger(model)[0], *PRODUCTS) == []
    assert steps(g, model, y).max() <= 1
    g = Network()
    z = g.fake(g.layer("ConvTranspose", g.input([1, 4, 5, 6]), (4, 6, 3, 3), 1, strides=[2, 2]), 6)
    assert floats(ledger(g.model(z))[0], *PRODUCTS) == []
    assert steps(g, g.model(z), z).max() <= 1


def test_what_stays_in_float_is_said() -> None:
    g = Network()
    x = g.input([1, 4, 8, 8])
    y = g.fake(g.op("Sigmoid", g.fake(g.layer("Conv", x, (4, 4, 1, 1)), 5)), 1)
    float_weights = g.constant(np.ones((4, 4, 1, 1), np.float32))
    z = g.fake(g.op("Conv", y, float_weights), 5)
    lowered, _ = ledger(g.model(z))
    found = [(d.code, d.message.partition("`")[2].partition("`")[0]) for d in lowered.diagnostics]
    assert found == [("EK401", "Sigmoid"), ("EK401", "Conv")]
    assert "its right operand is not quantised" in lowered.diagnostics[1].message
    with pytest.raises(EdgekitError) as caught:
        api.convert(g.model(z), "tvm", options={"require_full_integer": True}, verify=False)
    assert [d.code for d in caught.value.diagnostics] == ["EK402", "EK402"]


def test_a_float_model_has_no_islands_and_no_integers() -> None:
    g = Network()
    g.inputs.append(helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 4]))
    model = g.model(g.op("MatMul", "x", g.constant(np.ones((4, 4), np.float32))))
    lowered, integer = ledger(model)
    assert (lowered.diagnostics, integer) == ((), False)
    assert [d.code for d in ledger(model, required=True)[0].diagnostics] == ["EK402"]


def test_sums_that_may_leave_int32_stay_in_float() -> None:
    g = Network()
    x = g.input([1, 70_000])
    codes = g.constant(np.full((70_000, 2), 127, np.int8))
    w = g.op("DequantizeLinear", codes, g.constant(np.float32(1e-4)), g.constant(np.int8(-128)))
    lowered, integer = ledger(g.model(g.fake(g.op("MatMul", x, w), 60)))
    assert not integer
    assert "may leave int32" in lowered.diagnostics[0].message


def test_quantising_again_by_the_same_scale_gives_the_codes() -> None:
    g = Network()
    x = g.input([2, 3, 4])
    t = g.fake(g.op("Transpose", x, perm=[2, 0, 1]), 3.0)
    lowered, _ = ledger(g.model(g.op("Reshape", t, g.constant(np.asarray([4, 6])))))
    names = [op.op for op in lowered.main.ops]
    assert names.count("round") == 1  # at the input only
    assert floats(lowered, "transpose") == []
