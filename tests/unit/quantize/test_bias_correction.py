"""The mean that rounded weights add is known from the mean of the input."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgekit.quantize.bias_correction import dequantised, mean_of_result

CASES = {
    "plain": ((5, 3, 3, 3), (2, 3, 8, 9), {}),
    "padded": ((4, 2, 3, 3), (1, 2, 7, 7), {"pads": [1, 0, 2, 1], "strides": [2, 2]}),
    "dilated": ((4, 2, 3, 2), (3, 2, 9, 9), {"dilations": [2, 3], "pads": [2, 2, 2, 2]}),
    "depthwise": ((6, 1, 3, 3), (1, 3, 6, 6), {"group": 3, "pads": [1, 1, 1, 1]}),
    "grouped": ((4, 2, 1, 1), (1, 4, 5, 5), {"group": 2, "strides": [3, 1]}),
    "one dimension": ((4, 2, 3), (2, 2, 11), {"strides": [2], "pads": [1, 1]}),
}


def value(name, shape):
    return ir.Value(name=name, shape=ir.Shape(shape), type=ir.TensorType(ir.DataType.FLOAT))


def held(name, array):
    made = value(name, array.shape)
    made.const_value = ir.Tensor(array, name=name)
    return made


@pytest.mark.parametrize("name", CASES)
def test_convolutions(name):
    w_shape, x_shape, attrs = CASES[name]
    rng = np.random.default_rng(1)
    w, x = (rng.normal(size=s).astype(np.float32) for s in (w_shape, x_shape))
    node = helper.make_node("Conv", ["x", "w"], ["y"], **attrs)
    graph = helper.make_graph(
        [node],
        "c",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, x.shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(w, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    (y,) = ort.InferenceSession(model.SerializeToString()).run(None, {"x": x})
    wanted = y.mean(axis=(0, *range(2, y.ndim)))
    mine = ir.Node("", "Conv", [value("x", x.shape), held("w", w)], [_attr(k, v) for k, v in attrs.items()])
    got = mean_of_result(mine, x.astype(np.float64).mean(0, keepdims=True), w.astype(np.float64))
    np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-5)


def _attr(name, data):
    return ir.AttrInt64(name, data) if isinstance(data, int) else ir.AttrInt64s(name, data)


@pytest.mark.parametrize("transposed", [0, 1])
def test_a_matrix(transposed):
    rng = np.random.default_rng(1)
    x, w = rng.normal(size=(7, 4)), rng.normal(size=(4, 3))
    node = ir.Node(
        "",
        "Gemm",
        [value("x", x.shape), held("w", w.T if transposed else w)],
        [ir.AttrInt64("transB", transposed)],
    )
    got = mean_of_result(node, x.mean(0, keepdims=True), w.T if transposed else w)
    np.testing.assert_allclose(got, (x @ w).mean(0))


def test_what_codes_stand_for():
    codes = np.asarray([[1, -2], [3, 4]], np.int8)
    scale = np.asarray([0.5, 2.0], np.float32)
    node = ir.Node("", "DequantizeLinear", [held("c", codes), held("s", scale)], [ir.AttrInt64("axis", 0)])
    np.testing.assert_array_equal(dequantised(node.outputs[0]), codes * scale[:, None])
    assert dequantised(held("c", codes)) is None
