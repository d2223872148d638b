"""Scales, integers, ranges, and where QuantizeLinear goes."""

from __future__ import annotations

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgekit import api
from edgekit.diagnostics import EdgekitError
from edgekit.ir import origin_of
from edgekit.lowering.onnx.emit import executable
from edgekit.passes.pipeline import prepare
from edgekit.quantize import Calibration, Plan, observe, observed_names, quantize, scheme_named
from edgekit.quantize.arithmetic import affine, codes, symmetric_codes, symmetric_scales


def onnx_codes(x, scale, zero, axis=None):
    """What QuantizeLinear gives in ONNX Runtime."""
    attrs = {} if axis is None else {"axis": axis}
    held = [numpy_helper.from_array(np.asarray(scale), "s"), numpy_helper.from_array(np.asarray(zero), "z")]
    node = helper.make_node("QuantizeLinear", ["x", "s", "z"], ["y"], **attrs)
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, x.shape)]
    outputs = [helper.make_tensor_value_info("y", TensorProto.INT8, x.shape)]
    graph = helper.make_graph([node], "q", inputs, outputs, held)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    return ort.InferenceSession(model.SerializeToString()).run(None, {"x": x})[0]


@pytest.mark.parametrize("seed", range(12))
def test_activations_have_the_codes_of_onnx(seed):
    rng = np.random.default_rng(seed)
    low, high = -rng.uniform(0, 10) * (seed % 3 > 0), rng.uniform(0.001, 10)
    quant = affine(low, high)
    x = np.append(rng.uniform(low * 1.2 - 0.1, high * 1.2, 3000), [0, low, high, 1e9, -1e9]).astype(
        np.float32
    )
    got = codes(x, quant)
    np.testing.assert_array_equal(got, onnx_codes(x, quant.scale, np.int8(quant.zero)))
    assert got[3000] == quant.zero  # zero has a code of its own
    inside = (x >= low) & (x <= high)
    real = (got.astype(np.float64) - quant.zero) * float(quant.scale)
    assert np.abs(real - x)[inside].max() <= float(quant.scale) * 1.001


@pytest.mark.parametrize("axis", [None, 0, 1])
@pytest.mark.parametrize("seed", range(4))
def test_weights_have_the_codes_of_onnx(seed, axis):
    rng = np.random.default_rng(seed)
    w = rng.normal(size=(5, 4, 3)).astype(np.float32) * rng.uniform(0.001, 9, (5, 4, 1)).astype(np.float32)
    scales = symmetric_scales(w, axis)
    got = symmetric_codes(w, scales, axis)
    zero = np.zeros(scales.shape, np.int8)
    np.testing.assert_array_equal(got, onnx_codes(w, scales, zero, axis))
    assert np.abs(got.astype(int)).max() == 127


def test_zeros_have_a_positive_scale():
    assert affine(0.0, 0.0).scale > 0
    assert (symmetric_scales(np.zeros((3, 2), np.float32), 0) == 1).all()


def test_percentile_leaves_outliers_out_and_zero_in():
    values = np.append(np.linspace(1, 2, 10_000), 1000).astype(np.float32)
    run = dict
    wide = observe(run, [{"x": values}], ["x"], Calibration())
    narrow = observe(run, [{"x": values}], ["x"], Calibration("percentile", 99.9))
    assert wide["x"] == (0.0, 1000.0)
    assert narrow["x"][0] == 0.0
    assert 1.9 < narrow["x"][1] <= 2.0


@pytest.mark.parametrize(
    "samples", [[], [{"x": np.asarray([1, np.inf], np.float32)}]], ids=["none", "infinite"]
)
def test_ranges_are_not_made_up(samples):
    with pytest.raises(EdgekitError) as caught:
        observe(dict, samples, ["x"], Calibration())
    assert caught.value.diagnostics[0].code == "EK403"


def test_unknown_names_are_told_the_choices():
    for call in (lambda: scheme_named("int4"), lambda: Calibration("guess")):
        with pytest.raises(EdgekitError) as caught:
            call()
        assert caught.value.diagnostics[0].code == "EK204"
        assert caught.value.diagnostics[0].notes


def small():
    """Conv, Relu, MaxPool, Concat with itself pooled otherwise, Sigmoid, Exp."""
    rng = np.random.default_rng(3)
    weights = {"w": rng.normal(size=(4, 2, 3, 3)), "b": rng.normal(size=4)}
    held = [numpy_helper.from_array(v.astype(np.float32), k) for k, v in weights.items()]
    pads = {"kernel_shape": [2, 2], "strides": [2, 2]}
    nodes = [
        helper.make_node("Conv", ["x", "w", "b"], ["c"], name="conv"),
        helper.make_node("Relu", ["c"], ["r"], name="relu"),
        helper.make_node("MaxPool", ["r"], ["m"], name="max", **pads),
        helper.make_node("AveragePool", ["r"], ["a"], name="mean", **pads),
        helper.make_node("Concat", ["m", "a"], ["k"], name="join", axis=1),
        helper.make_node("Sigmoid", ["k"], ["s"], name="sigmoid"),
        helper.make_node("Exp", ["s"], ["y"], name="exp"),
    ]
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 2, 8, 8])]
    outputs = [helper.make_tensor_value_info(n, TensorProto.FLOAT, None) for n in ("y", "m")]
    graph = helper.make_graph(nodes, "small", inputs, outputs, held)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


@pytest.fixture(scope="module")
def made():
    plan = Plan.of(prepare(api.load(small())).model)
    names = observed_names(plan)
    ranges = {name: (-1.0, 3.0 + i) for i, name in enumerate(names)}
    return names, quantize(plan, scheme_named("int8"), ranges)[0]


def scale_of(model, name):
    """The scale of the DequantizeLinear that stands for a float tensor."""
    for node in model.ir.graph:
        if node.op_type == "QuantizeLinear" and node.inputs[0].name in (name, f"{name}:real"):
            return node.inputs[1].const_value.numpy().item()
    return None


def test_only_what_is_read_and_made_by_integer_kernels_is_quantised(made):
    names, model = made
    assert set(names) == {"x", "r", "m", "a", "k", "s"}
    assert scale_of(model, "c") is None  # the limit is part of the convolution
    assert scale_of(model, "y") is None


def test_scales_are_shared_and_fixed(made):
    _, model = made
    shared = {scale_of(model, n) for n in ("r", "m", "a", "k")}
    assert len(shared) == 1
    assert None not in shared
    assert scale_of(model, "s") != next(iter(shared))


def test_the_bias_is_in_units_of_both_scales(made):
    _, model = made
    (conv,) = (n for n in model.ir.graph if n.op_type == "Conv")
    w, b = (v.producer() for v in conv.inputs[1:])
    assert w.attributes["axis"].value == 0
    scales = [n.inputs[1].const_value.numpy() for n in (w, b)]
    np.testing.assert_allclose(scales[1], scales[0] * np.float32(scale_of(model, "x")), rtol=1e-6)
    assert b.inputs[0].dtype == ir.DataType.INT32


def test_names_of_outputs_and_origins_stay(made):
    _, model = made
    assert [v.name for v in model.ir.graph.outputs] == ["y", "m"]
    assert model.ir.graph.outputs[1].producer().op_type == "DequantizeLinear"
    assert all(origin_of(n).nodes for n in model.ir.graph)
    onnx.checker.check_model(ir.serde.serialize_model(executable(model).ir))


def test_a_fixed_scale_is_taken_where_the_values_fit():
    plan = Plan.of(prepare(api.load(small())).model)
    ranges = dict.fromkeys(observed_names(plan), (0.0, 0.9))
    assert scale_of(quantize(plan, scheme_named("int8"), ranges)[0], "s") == 1 / 256


def test_a_large_bias_widens_the_scale_of_the_weights():
    model = small()
    model.graph.initializer[1].CopyFrom(numpy_helper.from_array(np.full(4, 3e7, np.float32), "b"))
    plan = Plan.of(prepare(api.load(model)).model)
    ranges = dict.fromkeys(observed_names(plan), (0.0, 1e-3))
    quantised, _ = quantize(plan, scheme_named("int8"), ranges)
    (conv,) = (n for n in quantised.ir.graph if n.op_type == "Conv")
    scale, whole = (conv.inputs[2].producer().inputs[i].const_value.numpy() for i in (1, 0))
    np.testing.assert_allclose(whole * scale.astype(np.float64), 3e7, rtol=1e-6)


def test_a_quantised_model_is_not_quantised_again(made):
    with pytest.raises(EdgekitError) as caught:
        Plan.of(made[1])
    assert caught.value.diagnostics[0].code == "EK403"


def neighbours(model, name):
    """The types of the ops before and behind the node of a name."""
    (node,) = (n for n in model.ir.graph if n.name == name)
    before = {v.producer().op_type for v in node.inputs if v is not None and v.producer() is not None}
    return before, {u.node.op_type for v in node.outputs for u in v.uses()}


@pytest.mark.parametrize("name", ["conv", "relu"])
def test_a_node_that_is_kept_stays_in_float_with_its_limit(name):
    plan = Plan.of(prepare(api.load(small())).model)
    ranges = dict.fromkeys(observed_names(plan), (-1.0, 3.0))
    model, _ = quantize(plan, scheme_named("int8"), ranges, keep=frozenset([name]))
    assert neighbours(model, "conv") == (set(), {"Relu"})
    assert neighbours(model, "relu") == ({"Conv"}, {"QuantizeLinear"})
    assert neighbours(model, "max") == ({"DequantizeLinear"}, {"QuantizeLinear"})


def test_a_name_that_no_node_has_is_not_kept():
    plan = Plan.of(prepare(api.load(small())).model)
    with pytest.raises(EdgekitError) as caught:
        quantize(plan, scheme_named("int8"), {}, keep=frozenset(["nothing"]))
    assert caught.value.diagnostics[0].code == "EK204"
