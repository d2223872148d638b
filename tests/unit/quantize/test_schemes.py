"""Every scheme as data: integers, numerics that hold whatever the ranges, and what backends do with it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from edgekit import api
from edgekit.artifact import Verdict
from edgekit.diagnostics import EdgekitError
from edgekit.lowering.tflite.reader import read_tflite
from edgekit.passes.pipeline import prepare
from edgekit.quantize import (
    SCHEMES,
    Numerics,
    Plan,
    in_blocks,
    native,
    observed_names,
    quantize,
    scheme_named,
    schemes_of,
)
from edgekit.quantize.arithmetic import affine, block_codes, block_scales
from edgekit.quantize.codes import Codes
from edgekit.quantize.scheme import EQUAL

BACKENDS = ("tflite", "onnx", "coreml", "tvm")
REAL = st.floats(0, 2.0**40, width=32)
CODES = st.sampled_from(
    [Codes("int8"), Codes("uint8"), Codes("int8", symmetric=True), Codes("uint8", symmetric=True),
     Codes("int16", symmetric=True), Codes("int16")]
)  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(REAL, REAL, CODES, st.sampled_from([None, (0,), (-128, 0, 127), (0, 128, 255)]), st.booleans())
def test_numerics_hold_whatever_the_range(below, above, codes, zeros, power):
    allowed = None if zeros is None else [z for z in zeros if codes.lowest <= z <= codes.highest]
    if allowed == []:
        return
    quant = affine(-below, above, codes, zeros=allowed, power_of_two=power)
    assert quant.scale > 0
    assert np.isfinite(quant.scale)
    assert codes.lowest <= quant.zero <= codes.highest
    if allowed is not None:
        assert quant.zero in allowed
    elif codes.symmetric:
        assert quant.zero == codes.middle
    if power:
        assert np.log2(quant.scale) == np.rint(np.log2(quant.scale))
    reaches = allowed is None or {codes.lowest, codes.highest}.isdisjoint(allowed)
    if reaches and max(below, above) > 1e-6:  # a zero point at the end has nothing beyond it
        slack = float(quant.scale) * 0.501 + 1e-6 * (below + above)
        assert quant.low - slack <= -below
        assert above <= quant.high + slack


def network(seed=0):
    """Conv, Relu, pool, two branches, Concat, Softmax, MatMul and Gemm."""
    rng = np.random.default_rng(seed)
    weights = {
        "w": rng.normal(size=(8, 3, 3, 3)) / 27**0.5,
        "b": rng.normal(size=8),
        "d": rng.normal(size=(8, 1, 3, 3)) / 3,
        "m": rng.normal(size=(64, 24)) / 8,
        "g": rng.normal(size=(6, 24)) / 24**0.5,
        "c": rng.normal(size=6),
    }
    held = [numpy_helper.from_array(v.astype(np.float32), k) for k, v in weights.items()]
    held.append(numpy_helper.from_array(np.asarray([0, -1]), "flat"))
    nodes = [
        helper.make_node("Conv", ["x", "w", "b"], ["h0"], name="conv", pads=[1] * 4, strides=[2, 2]),
        helper.make_node("Relu", ["h0"], ["h1"], name="relu"),
        helper.make_node("Conv", ["h1", "d"], ["h2"], name="depthwise", group=8, pads=[1] * 4),
        helper.make_node("MaxPool", ["h1"], ["h3"], name="max", kernel_shape=[3, 3], pads=[1] * 4),
        helper.make_node("Concat", ["h2", "h3"], ["h4"], name="join", axis=1),
        helper.make_node("MaxPool", ["h4"], ["h5"], name="halve", kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Reshape", ["h5", "flat"], ["h6"], name="reshape"),
        helper.make_node("MatMul", ["h6", "m"], ["h7"], name="matmul"),
        helper.make_node("Tanh", ["h7"], ["h8"], name="tanh"),
        helper.make_node("Gemm", ["h8", "g", "c"], ["h9"], name="gemm", transB=1),
        helper.make_node("Softmax", ["h9"], ["y"], name="softmax"),
    ]
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 8, 8])]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 6])]
    graph = helper.make_graph(nodes, "network", inputs, outputs, held)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


def samples(count=6):
    rng = np.random.default_rng(5)
    return [{"x": rng.normal(size=(1, 3, 8, 8)).astype(np.float32)} for _ in range(count)]


@pytest.fixture(scope="module")
def plan():
    return Plan.of(prepare(api.load(network())).model)


def hub(plan, scheme):
    ranges = {name: (-2.0 - i, 3.0 + i) for i, name in enumerate(observed_names(plan))}
    return quantize(plan, scheme, ranges)[0].ir.graph


def stored(graph):
    """Scale and zero point of every DequantizeLinear, by the type of the op that reads it and its place."""
    found = {}
    for node in graph:
        if node.op_type == "DequantizeLinear":
            scale, zero = (
                v.const_value.numpy() if v is not None else None for v in (*node.inputs[1:], None)[:2]
            )
            for use in node.outputs[0].uses():
                found[use.node.name, use.idx] = (scale, zero, node.inputs[0].dtype.name)
    return found


def test_the_integers_of_a_scheme_are_those_in_the_hub(plan):
    for name, activation, weight, count in (
        ("int8", "INT8", "INT8", 8),
        ("int8-per-tensor", "INT8", "INT8", 1),
        ("uint8", "UINT8", "UINT8", 1),
        ("int16x8", "INT16", "INT8", 8),
    ):
        found = stored(hub(plan, scheme_named(name)))
        assert found["conv", 0][2] == activation
        assert (found["conv", 1][2], found["conv", 1][0].size) == (weight, count)
        assert found["conv", 2][2] == "INT32"
        scales = found["conv", 1][0] * found["conv", 0][0]
        np.testing.assert_allclose(found["conv", 2][0], scales, rtol=1e-6)
    for name, dtype in (("w8", "INT8"), ("w4", "INT4"), ("dynamic", "INT8")):
        found = stored(hub(plan, scheme_named(name)))
        assert set(found) == {(n, 1) for n in ("conv", "depthwise", "matmul", "gemm")}
        assert found["conv", 1][2] == dtype


def test_a_target_gets_what_it_asks_of_scales(plan):
    asked = Numerics(per_channel=False, symmetric_activations=True, power_of_two=True)
    found = stored(hub(plan, scheme_named("int8").under(asked)))
    for scale, zero, dtype in found.values():
        assert scale.size == 1
        assert np.log2(scale) == np.rint(np.log2(scale))
        assert dtype == "INT32" or zero == 0
    asked = Numerics(zero_points=frozenset({-128, 0}))
    found = stored(hub(plan, scheme_named("int8").under(asked)))
    assert {int(zero) for (_, place), (_, zero, _) in found.items() if place == 0} <= {-128, 0}
    asked = Numerics(symmetric_weights=True)
    found = stored(hub(plan, scheme_named("uint8").under(asked)))
    assert {int(found[name, 1][1]) for name in ("conv", "depthwise", "matmul", "gemm")} == {128}


def test_scales_are_equal_or_not_as_the_target_says(plan):
    both = stored(hub(plan, scheme_named("int8")))
    assert both["join", 0][0] == both["join", 1][0] == both["halve", 0][0]
    free = Numerics(equal=EQUAL - {"Concat"})
    found = stored(hub(plan, scheme_named("int8").under(free)))
    assert found["join", 0][0] != found["join", 1][0]


def test_fixed_scales_are_those_of_the_target(plan):
    ranges = dict.fromkeys(observed_names(plan), (-0.9, 0.9))
    for numerics, scale in ((Numerics(), 1 / 128), (Numerics(fixed={"Tanh": (1 / 64, 3)}), 1 / 64)):
        made, _ = quantize(plan, scheme_named("int8").under(numerics), ranges)
        found = stored(made.ir.graph)["gemm", 0]
        assert found[0] == np.float32(scale)
    assert found[1] == 3


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("dtype", ["int4", "int8"])
@pytest.mark.parametrize("block", [4, 5, 32])
def test_blocks_are_those_of_onnx(axis, dtype, block):
    rng = np.random.default_rng(block)
    weights = rng.normal(size=(13, 11)).astype(np.float32)
    codes = Codes(dtype, symmetric=True, block=block)
    scales = block_scales(weights, axis, codes)
    held = block_codes(weights, scales, axis, codes)
    node = helper.make_node("DequantizeLinear", ["q", "s"], ["y"], axis=axis, block_size=block)
    kind = {"int4": TensorProto.INT4, "int8": TensorProto.INT8}[dtype]
    tensor = helper.make_tensor("q", kind, weights.shape, held.astype(np.int8).reshape(-1).tolist())
    graph = helper.make_graph(
        [node], "g", [], [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [tensor, numpy_helper.from_array(scales, "s")],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    (back,) = ReferenceEvaluator(model).run(None, {})
    spread = np.repeat(scales, block, axis)
    spread = spread[: weights.shape[0]] if axis == 0 else spread[:, : weights.shape[1]]
    assert (np.abs(back - weights) <= spread * 0.501).all()


def test_what_a_backend_does_not_compute_is_refused_with_the_choices():
    for backend in BACKENDS:
        assert set(schemes_of(backend)) <= set(SCHEMES)
        for name in SCHEMES:
            if name in schemes_of(backend):
                assert native(backend, scheme_named(name)).how
                continue
            with pytest.raises(EdgekitError) as caught:
                api.quantize(network(), backend, scheme=name, calibrate=samples(1))
            found = caught.value.diagnostics[0]
            assert found.code == "EK403"
            assert all(f"`{other}`" in found.help for other in schemes_of(backend))


def test_blocks_are_refused_where_nothing_computes_them():
    assert in_blocks(scheme_named("w4"), "onnx", None).weights.block == 32
    assert in_blocks(scheme_named("w4"), "tflite", None).weights.block == 0
    for scheme, backend, size, code in (
        ("w4", "tflite", 32, "EK403"),
        ("int8", "onnx", 32, "EK202"),
        ("w8", "onnx", -1, "EK202"),
    ):
        with pytest.raises(EdgekitError) as caught:
            in_blocks(scheme_named(scheme), backend, size)
        assert caught.value.diagnostics[0].code == code


DECIBELS = {
    "int8": 20, "int8-per-tensor": 20, "uint8": 18, "int16x8": 25, "dynamic": 25, "fp16": 50, "w8": 25,
    "w4": 5,
}  # fmt: skip
"""What is left of the signal, at least: a number far below means that the scheme is not what it says."""


def loss(artifact, form):
    (row,) = (r for r in artifact.recipe["quantization"]["accuracy"] if r["form"] == form)
    return row["sqnr_db"]


@pytest.mark.parametrize("backend", ["tflite", "onnx"])
@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_scheme_is_verified_against_its_own_reference(scheme, backend):
    artifact = api.quantize(network(), backend, scheme=scheme, calibrate=samples())
    assert artifact.verification.verdict is Verdict.VERIFIED, artifact.verification
    assert loss(artifact, "simulated") > DECIBELS[scheme]
    assert loss(artifact, "executed") > DECIBELS[scheme]
    assert artifact.recipe["quantization"]["scheme"] == scheme
    assert artifact.recipe["quantization"]["how"]


def dtypes(artifact, *ops):
    """Dtypes of the operands of the first op of these types, and its result's."""
    graph = read_tflite(artifact.model_file.read()).main
    op = next(o for o in graph.ops if o.op in ops)
    return [v.dtype.name for v in (*op.inputs, *op.outputs) if v is not None]


@pytest.mark.parametrize(
    ("scheme", "convolution", "product"),
    [
        ("int8", ["int8", "int8", "int32", "int8"], ["int8", "int8", "int32", "int8"]),
        ("uint8", ["uint8", "uint8", "int32", "uint8"], ["uint8", "uint8", "int32", "uint8"]),
        ("int16x8", ["int16", "int8", "int64", "int16"], ["int16", "int8", "int64", "int16"]),
        ("dynamic", ["float32", "int8", "float32", "float32"], ["float32", "int8", "float32", "float32"]),
        ("w8", ["float32"] * 4, ["float32"] * 4),
    ],
)
def test_the_kernels_of_tflite_are_those_of_the_scheme(scheme, convolution, product):
    artifact = api.quantize(network(), "tflite", scheme=scheme, calibrate=samples(2), verify=False)
    assert dtypes(artifact, "CONV_2D") == convolution
    assert dtypes(artifact, "FULLY_CONNECTED") == product


@pytest.mark.parametrize(("scheme", "dtype"), [("w8", "int8"), ("w4", "int4"), ("fp16", "float16")])
def test_weights_are_stored_small_and_dequantised_by_the_runtime(scheme, dtype):
    artifact = api.quantize(network(), "tflite", scheme=scheme, verify=False)
    assert dtypes(artifact, "DEQUANTIZE") == [dtype, "float32"]
    plain = api.convert(network(), "tflite", verify=False)
    assert len(artifact.model_file.read()) < len(plain.model_file.read())


@pytest.mark.parametrize("scheme", ["int8", "uint8", "int16x8"])
def test_integer_inputs_and_outputs(scheme):
    artifact = api.quantize(
        network(), "tflite", scheme=scheme, calibrate=samples(), integer_io=True, require_full_integer=True
    )
    assert artifact.verification.verdict is Verdict.VERIFIED
    main = read_tflite(artifact.model_file.read()).main
    wanted = scheme.removesuffix("x8")
    assert [v.dtype.name for v in (*main.inputs, *main.outputs)] == [wanted, wanted]
    assert all(v.dtype.kind in "iu" for op in main.ops for v in op.outputs)


def test_a_layer_that_is_kept_is_named_and_full_integers_are_refused():
    artifact = api.quantize(network(), "tflite", calibrate=samples(2), keep=["conv"], verify=False)
    assert any(d.code == "EK401" and "CONV_2D" in d.message for d in artifact.diagnostics)
    with pytest.raises(EdgekitError) as caught:
        api.quantize(
            network(), "tflite", calibrate=samples(2), keep=["conv"], verify=False, require_full_integer=True
        )
    assert {d.code for d in caught.value.diagnostics} == {"EK402"}
    artifact = api.quantize(network(), "onnx", calibrate=samples(2), keep=["conv"], verify=False)
    assert any(d.code == "EK401" and "on request" in d.message for d in artifact.diagnostics)


def test_a_model_of_which_nothing_has_a_kernel_says_so():
    nodes = [helper.make_node("HardSwish", ["x"], ["y"], name="swish")]
    values = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, 8]) for n in ("x", "y")]
    graph = helper.make_graph(nodes, "alone", values[:1], values[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    data = [{"x": np.linspace(-3, 3, 8, dtype=np.float32)[None]}]
    artifact = api.quantize(model, "tflite", scheme="int16x8", calibrate=data, verify=False)
    assert any(d.code == "EK401" and "no kernel for int16" in d.message for d in artifact.diagnostics)


def recurrent():
    rng = np.random.default_rng(0)
    weights = {
        "w": rng.normal(size=(1, 16, 6)), "r": rng.normal(size=(1, 16, 4)), "m": rng.normal(size=(4, 3)),
    }  # fmt: skip
    held = [numpy_helper.from_array(v.astype(np.float32), k) for k, v in weights.items()]
    held.append(numpy_helper.from_array(np.asarray([0, -1, 4]), "flat"))
    nodes = [
        helper.make_node("LSTM", ["x", "w", "r"], ["h"], name="cells", hidden_size=4),
        helper.make_node("Reshape", ["h", "flat"], ["f"], name="flat"),
        helper.make_node("MatMul", ["f", "m"], ["y"], name="product"),
    ]
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [5, 1, 6])]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)]
    graph = helper.make_graph(nodes, "recurrent", inputs, outputs, held)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


@pytest.mark.parametrize("backend", ["tflite", "onnx"])
def test_recurrent_layers_stay_in_float_and_say_so(backend):
    data = [{"x": np.random.default_rng(i).normal(size=(5, 1, 6)).astype(np.float32)} for i in range(3)]
    artifact = api.quantize(recurrent(), backend, calibrate=data)
    assert artifact.verification.verdict is Verdict.VERIFIED
    warnings = [d for d in artifact.diagnostics if d.code == "EK401"]
    assert any("cells" in d.where.nodes for d in warnings)
    if backend == "onnx":
        assert any("recurrent layers" in d.message for d in warnings)


def test_zero_channels_huge_and_denormal_weights_are_quantised():
    model = network()
    for tensor in model.graph.initializer:
        if tensor.name == "w":
            data = numpy_helper.to_array(tensor).copy()
            data[0], data[1], data[2] = 0, data[1] * 1e20, data[2] * 1e-40
            tensor.CopyFrom(numpy_helper.from_array(data, "w"))
    made = hub(Plan.of(prepare(api.load(model)).model), scheme_named("int8"))
    scale, _, _ = stored(made)["conv", 1]
    assert np.isfinite(scale).all()
    assert (scale > 0).all()


def test_weights_that_are_not_finite_are_refused_by_name():
    model = network()
    for tensor in model.graph.initializer:
        if tensor.name == "g":
            data = numpy_helper.to_array(tensor).copy()
            data[1, 2] = np.inf
            tensor.CopyFrom(numpy_helper.from_array(data, "g"))
    with pytest.raises(EdgekitError) as caught:
        hub(Plan.of(prepare(api.load(model)).model), scheme_named("int8"))
    assert caught.value.diagnostics[0].code == "EK403"
    assert "gemm" in caught.value.diagnostics[0].where.nodes
