"""Small networks built like those that people quantise: what is left of the signal, what stays in float."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgekit import api


class Net:
    """Writes a network with weights drawn as initialisers of training draw them."""

    def __init__(self, seed, shape):
        self.rng = np.random.default_rng(seed)
        self.nodes, self.held, self.shape = [], [], shape
        self.count = 0

    def const(self, data, dtype=np.float32):
        name = f"c{len(self.held)}"
        self.held.append(numpy_helper.from_array(np.asarray(data, dtype), name))
        return name

    def weights(self, *shape):
        return self.const(self.rng.normal(size=shape) * (2 / np.prod(shape[1:])) ** 0.5)

    def op(self, kind, *inputs, **attrs):
        self.count += 1
        result = f"v{self.count}"
        self.nodes.append(helper.make_node(kind, list(inputs), [result], name=f"n{self.count}", **attrs))
        return result

    def conv(self, x, channels, out, size=1, stride=1, group=1, act=None):
        w = self.weights(out, channels // group, size, size)
        bias = self.const(self.rng.normal(size=out) * 0.1)
        y = self.op("Conv", x, w, bias, group=group, strides=[stride] * 2, pads=[size // 2] * 4)
        return self.op(act, y) if act else y

    def linear(self, x, wide, out):
        w = self.const(self.rng.normal(size=(wide, out)) / wide**0.5)
        return self.op("Add", self.op("MatMul", x, w), self.const(self.rng.normal(size=out) * 0.1))

    def model(self, *outputs):
        inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, self.shape)]
        outs = [helper.make_tensor_value_info(o, TensorProto.FLOAT, None) for o in outputs]
        graph = helper.make_graph(self.nodes, "net", inputs, outs, self.held)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)

    def samples(self, count=8):
        return [{"x": self.rng.normal(size=self.shape).astype(np.float32)} for _ in range(count)]


def mobile():
    """Inverted residuals with squeeze and excitation, HardSwish, as in MobileNetV3."""
    net = Net(1, [1, 3, 32, 32])
    x = net.conv("x", 3, 16, 3, 2, act="HardSwish")
    for _ in range(2):
        y = net.conv(x, 16, 48, act="HardSwish")
        y = net.conv(y, 48, 48, 3, group=48, act="HardSwish")
        gate = net.conv(net.op("GlobalAveragePool", y), 48, 12, act="Relu")
        y = net.op("Mul", y, net.op("HardSigmoid", net.conv(gate, 12, 48), alpha=1 / 6, beta=0.5))
        x = net.op("Add", x, net.conv(y, 48, 16))
    return net, net.model(net.linear(net.op("Flatten", net.op("GlobalAveragePool", x)), 16, 10))


def transformer():
    """Two blocks of attention and a gated-by-Gelu pair of layers, each behind a layer norm."""
    net, wide, heads, length = Net(2, [1, 16, 32]), 32, 4, 16
    split = net.const([1, length, heads, wide // heads], np.int64)
    whole = net.const([1, length, wide], np.int64)

    def norm(x):
        scale = net.const(1 + net.rng.normal(size=wide) * 0.1)
        return net.op("LayerNormalization", x, scale, net.const(net.rng.normal(size=wide) * 0.1), axis=-1)

    def heads_of(x, perm):
        return net.op("Transpose", net.op("Reshape", net.linear(x, wide, wide), split), perm=perm)

    x = "x"
    for _ in range(2):
        h = norm(x)
        q, k, v = heads_of(h, [0, 2, 1, 3]), heads_of(h, [0, 2, 3, 1]), heads_of(h, [0, 2, 1, 3])
        scores = net.op("Mul", net.op("MatMul", q, k), net.const((wide / heads) ** -0.5))
        mixed = net.op(
            "Transpose", net.op("MatMul", net.op("Softmax", scores, axis=-1), v), perm=[0, 2, 1, 3]
        )
        x = net.op("Add", x, net.linear(net.op("Reshape", mixed, whole), wide, wide))
        x = net.op("Add", x, net.linear(net.op("Gelu", net.linear(norm(x), wide, 64)), 64, wide))
    return net, net.model(net.linear(norm(x), wide, 6))


def detector():
    """A pyramid of two levels, upsampled and joined, with heads for classes and boxes; PRelu on the way."""
    net = Net(3, [1, 3, 32, 32])
    x = net.conv("x", 3, 16, 3, 2)
    x = net.op("PRelu", x, net.const(net.rng.uniform(0.05, 0.3, (16, 1, 1))))
    near = net.conv(x, 16, 24, 3, 2, act="Relu")
    far = net.conv(near, 24, 24, 3, 2, act="Relu")
    up = net.op("Resize", far, "", net.const([1, 1, 2, 2]), mode="nearest")
    joined = net.conv(net.op("Concat", near, up, axis=1), 48, 24, 3, act="Relu")
    return net, net.model(net.op("Sigmoid", net.conv(joined, 24, 4)), net.conv(joined, 24, 8))


LEAST = {"mobile": {"int8": 24, "int16x8": 30}, "transformer": {"int8": 24, "int16x8": 30},
         "detector": {"int8": 26, "int16x8": 30}}  # fmt: skip
"""Decibels that are left at the worst output; int16x8 is bounded by its int8 weights."""
STAYS = {
    "mobile": {"int8": set(), "int16x8": {"HARD_SWISH"}},
    "detector": {"int8": set(), "int16x8": {"PRELU"}},
}
"""TFLite ops that compute in float."""


@pytest.mark.parametrize("scheme", ["int8", "int16x8"])
@pytest.mark.parametrize("build", [mobile, transformer, detector])
def test_architectures(build, scheme):
    net, model = build()
    artifact = api.quantize(model, "tflite", scheme=scheme, calibrate=net.samples())
    rows = artifact.recipe["quantization"]["accuracy"]
    for form in ("simulated", "executed"):
        worst = min(r["sqnr_db"] for r in rows if r["form"] == form)
        assert worst > LEAST[build.__name__][scheme], (form, worst)
    stays = {d.data["op"] for d in artifact.diagnostics if d.code == "EK401"} - {"QUANTIZE", "DEQUANTIZE"}
    if build is transformer:
        # The parts of a layer norm: the mean, the squares, the root.
        assert "RSQRT" in stays or "SQRT" in stays
        assert {"FULLY_CONNECTED", "BATCH_MATMUL"}.isdisjoint(stays)
    else:
        assert stays == STAYS[build.__name__][scheme]
