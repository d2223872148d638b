"""DequantizeLinear, an op, QuantizeLinear: the integer kernels, in steps of the result's scale."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgekit import api
from edgekit.artifact import Delta, Status
from edgekit.consistency import tail
from edgekit.consistency.oracle import Oracle
from edgekit.diagnostics import EdgekitError
from edgekit.tflite.reader import read_tflite


class Graph:
    """A QDQ model under construction; every value is quantised in int8 or uint8 over a range."""

    def __init__(self, dtype="int8"):
        self.dtype = np.dtype(dtype)
        self.nodes, self.held, self.inputs, self.scales = [], [], [], {}

    def constant(self, data):
        name = f"c{len(self.held)}"
        self.held.append(numpy_helper.from_array(np.asarray(data), name))
        return name

    def op(self, kind, *inputs, **attrs):
        name = f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], name=f"n{len(self.nodes)}", **attrs))
        return name

    def input(self, name, shape, low=-1.0, high=1.0):
        self.inputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))
        return self.fake(name, low, high)

    def fake(self, name, low, high):
        limits = np.iinfo(self.dtype)
        scale = np.float32((high - low) / (limits.max - limits.min))
        return self.at(name, scale, np.clip(np.rint(limits.min - low / scale), limits.min, limits.max))

    def at(self, name, scale, zero):
        parameters = [self.constant(np.float32(scale)), self.constant(np.asarray(zero, self.dtype))]
        result = self.op("DequantizeLinear", self.op("QuantizeLinear", name, *parameters), *parameters)
        self.scales[result] = float(scale)
        return result

    def weights(self, data, axis=None):
        others = tuple(i for i in range(data.ndim) if i != axis)
        scale = np.asarray(np.abs(data).max(others if axis is not None else None) / 127, np.float32)
        shape = [-1 if i == axis else 1 for i in range(data.ndim)] if axis is not None else ()
        whole = np.rint(data / scale.reshape(shape)).astype(np.int8)
        attrs = {} if axis is None else {"axis": axis}
        zero = self.constant(np.zeros(scale.shape, np.int8))
        return self.op("DequantizeLinear", self.constant(whole), self.constant(scale), zero, **attrs), scale

    def bias(self, data, scale):
        whole = np.rint(data / scale).astype(np.int32)
        attrs = {"axis": 0} if scale.ndim else {}
        return self.op("DequantizeLinear", self.constant(whole), self.constant(scale), **attrs)

    def model(self, result):
        outputs = [helper.make_tensor_value_info(result, TensorProto.FLOAT, None)]
        graph = helper.make_graph(self.nodes, "qdq", self.inputs, outputs, self.held)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
        return onnx.shape_inference.infer_shapes(model)


@pytest.fixture
def judge(bench):
    """Runs a model in both runtimes; returns the steps that each element is off."""

    def judged(graph, result, feed, *, floats=()):
        model = graph.model(result)
        artifact = api.convert(model, verify=False)
        ops = read_tflite(artifact.model_file.read()).main.ops
        inner = [
            o.op for o in ops if any(v is not None and v.dtype == np.float32 for v in (*o.inputs, *o.outputs))
        ]
        assert sorted(set(inner) - {"QUANTIZE", "DEQUANTIZE"}) == sorted(floats)
        (want,) = bench._source(model, feed)
        (got,) = bench.run(model, feed)
        assert got.shape == want.shape
        return np.rint(np.abs(got.astype(np.float64) - want) / graph.scales[result]), [o.op for o in ops]

    return judged


def holds(steps, most=1):
    """At most one step on 99 % of the elements, and none beyond `most`."""
    assert (steps > 1).mean() <= 0.01
    assert steps.max() <= most


@pytest.mark.parametrize("axis", [None, 0])
@pytest.mark.parametrize("dtype", ["int8", "uint8"])
@pytest.mark.parametrize(
    ("weights", "attrs", "kernel"),
    [
        ((6, 4, 3, 3), {"pads": [1, 1, 1, 1]}, "CONV_2D"),
        ((6, 4, 3, 3), {"strides": [2, 2], "pads": [1, 1, 1, 1]}, "CONV_2D"),
        ((4, 1, 3, 3), {"group": 4, "pads": [1, 1, 1, 1]}, "DEPTHWISE_CONV_2D"),
        ((8, 1, 5, 3), {"group": 4, "dilations": [2, 1]}, "DEPTHWISE_CONV_2D"),
    ],
)
def test_convolution(judge, rng, draw, weights, attrs, kernel, axis, dtype):
    g = Graph(dtype)
    x = g.input("x", [1, 4, 12, 11], -1.5, 2)
    w, scale = g.weights(rng.normal(size=weights).astype(np.float32), axis)
    units = np.asarray(scale * np.float32(g.scales[x]), np.float32)
    b = g.bias(rng.normal(size=weights[0]), units)
    y = g.fake(g.op("Conv", x, w, b, **attrs), -9, 9)
    steps, ops = judge(g, y, {"x": draw("float32", 1, 4, 12, 11)})
    assert kernel in ops
    holds(steps)


@pytest.mark.parametrize("limits", [("Relu",), ("Clip", 0.0, 6.0), ("Clip", 0.5, 3.0)], ids=str)
@pytest.mark.parametrize("low", [0.0, -4.0])
def test_limits_are_part_of_the_kernel_or_act_on_integers(judge, rng, draw, limits, low):
    g = Graph()
    x = g.input("x", [2, 3, 6, 6], -1.5, 2)
    w, _ = g.weights(rng.normal(size=(5, 3, 3, 3)).astype(np.float32), 0)
    name, *bounds = limits
    y = g.op(name, g.op("Conv", x, w), *(g.constant(np.float32(v)) for v in bounds))
    steps, _ = judge(g, g.fake(y, low, 7), {"x": draw("float32", 2, 3, 6, 6)})
    holds(steps)


@pytest.mark.parametrize("trans", [0, 1])
def test_fully_connected(judge, rng, draw, trans):
    g = Graph()
    x = g.input("x", [7, 20], -2, 2)
    w, scale = g.weights(rng.normal(size=(9, 20) if trans else (20, 9)).astype(np.float32), 1 - trans)
    b = g.bias(rng.normal(size=9), np.asarray(scale * np.float32(g.scales[x]), np.float32))
    y = g.fake(g.op("Gemm", x, w, b, transB=trans), -12, 12)
    steps, ops = judge(g, y, {"x": draw("float32", 7, 20)})
    assert "FULLY_CONNECTED" in ops
    holds(steps)


def test_product_of_rank_3_with_constant_weights(judge, rng, draw):
    g = Graph()
    x = g.input("x", [2, 5, 16], -2, 2)
    w, _ = g.weights(rng.normal(size=(16, 6)).astype(np.float32), 1)
    steps, _ = judge(g, g.fake(g.op("MatMul", x, w), -10, 10), {"x": draw("float32", 2, 5, 16)})
    holds(steps)


@pytest.mark.parametrize("op", ["Add", "Sub", "Mul"])
@pytest.mark.parametrize("shape", [[1, 4, 5, 6], [1, 4, 1, 1]])
def test_two_operands_of_different_scales(judge, draw, op, shape):
    g = Graph()
    x, y = g.input("x", [1, 4, 5, 6], -1, 3), g.input("y", shape, -0.2, 0.3)
    z = g.fake(g.op(op, x, y), -1.3, 3)
    feed = {"x": draw("float32", 1, 4, 5, 6), "y": draw("float32", *shape)}
    holds(judge(g, z, feed)[0])


def test_a_constant_operand(judge, rng, draw):
    g = Graph()
    x = g.input("x", [1, 4, 5, 6], -1, 3)
    c, _ = g.weights(rng.normal(size=(1, 4, 1, 1)).astype(np.float32))
    holds(judge(g, g.fake(g.op("Mul", x, c), -4, 4), {"x": draw("float32", 1, 4, 5, 6)})[0])


@pytest.mark.parametrize(
    ("op", "scale", "zero"), [("Sigmoid", 1 / 256, -128), ("Softmax", 1 / 256, -128), ("Tanh", 1 / 128, 0)]
)
def test_fixed_scales(judge, draw, op, scale, zero):
    g = Graph()
    x = g.input("x", [3, 40], -4, 5)
    holds(judge(g, g.at(g.op(op, x), scale, zero), {"x": draw("float32", 3, 40, scale=2)})[0])


@pytest.mark.parametrize("op", ["Sigmoid", "Tanh"])
@pytest.mark.parametrize("high", [0.4, 1.2])
def test_another_scale_than_the_fixed_one_is_looked_up_exactly(judge, draw, op, high):
    g = Graph()
    x = g.input("x", [3, 4, 40], -4, 5)
    steps, ops = judge(g, g.fake(g.op(op, x), -0.5, high), {"x": draw("float32", 3, 4, 40, scale=2)})
    assert "GATHER" in ops
    assert not steps.any()


def test_another_scale_of_softmax_is_a_second_rounding(judge, draw):
    g = Graph()
    x = g.input("x", [3, 40], -4, 5)
    steps, ops = judge(g, g.fake(g.op("Softmax", x), -0.5, 1.2), {"x": draw("float32", 3, 40, scale=2)})
    assert ops.count("QUANTIZE") == 2
    holds(steps)


def test_hard_swish(judge, draw):
    g = Graph()
    x = g.input("x", [1, 8, 9, 9], -5, 5)
    holds(judge(g, g.fake(g.op("HardSwish", x), -0.375, 5), {"x": draw("float32", 1, 8, 9, 9, scale=2)})[0])


@pytest.mark.parametrize(
    ("op", "attrs"),
    [
        ("MaxPool", {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]}),
        ("AveragePool", {"kernel_shape": [2, 2], "strides": [2, 2]}),
        ("GlobalAveragePool", {}),
        ("Transpose", {"perm": [0, 2, 3, 1]}),
        ("DepthToSpace", {"blocksize": 2}),
        ("Flatten", {}),
    ],
)
@pytest.mark.parametrize("high", [2.0, 1.1], ids=["one scale", "two scales"])
def test_one_operand(judge, draw, op, attrs, high):
    g = Graph()
    x = g.input("x", [1, 4, 8, 8], -1, 2)
    floats = ("AVERAGE_POOL_2D",) if op == "AveragePool" and high != 2.0 else ()
    steps, _ = judge(
        g, g.fake(g.op(op, x, **attrs), -1, high), {"x": draw("float32", 1, 4, 8, 8)}, floats=floats
    )
    holds(steps)
    if op in ("MaxPool", "Transpose", "DepthToSpace", "Flatten") and high == 2.0:
        assert not steps.any()


def test_movement_with_constants(judge, draw):
    g = Graph()
    x = g.input("x", [1, 4, 8, 8], -1, 2)
    cut = g.op("Slice", x, *(g.constant(np.asarray(v, np.int64)) for v in ([1], [7], [2], [2])))
    padded = g.op("Pad", g.fake(cut, -1, 2), g.constant(np.asarray([0, 0, 1, 0, 0, 0, 2, 1], np.int64)))
    shaped = g.op("Reshape", g.fake(padded, -1, 2), g.constant(np.asarray([1, -1, 6], np.int64)))
    steps, ops = judge(g, g.fake(shaped, -1, 2), {"x": draw("float32", 1, 4, 8, 8)})
    assert not steps.any()
    assert ops[-1] == "DEQUANTIZE"


@pytest.mark.parametrize("mode", ["nearest", "linear"])
def test_resize(judge, draw, mode):
    g = Graph()
    x = g.input("x", [1, 3, 5, 6], -2, 2)
    kind = (
        {"coordinate_transformation_mode": "half_pixel"}
        if mode == "linear"
        else {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    )
    scales = g.constant(np.asarray([1, 1, 2, 2], np.float32))
    y = g.op("Resize", x, "", scales, mode=mode, **kind)
    holds(judge(g, g.fake(y, -2, 2), {"x": draw("float32", 1, 3, 5, 6)})[0])


def test_concatenation_of_two_scales(judge, draw):
    g = Graph()
    x, y = g.input("x", [1, 2, 4, 4], -1, 1), g.input("y", [1, 3, 4, 4], -2, 3)
    feed = {"x": draw("float32", 1, 2, 4, 4), "y": draw("float32", 1, 3, 4, 4)}
    steps, ops = judge(g, g.fake(g.op("Concat", x, y, axis=1), -2, 3), feed)
    assert "CONCATENATION" in ops
    holds(steps)


def test_a_transposed_convolution(judge, rng, draw):
    g = Graph()
    x = g.input("x", [1, 4, 6, 6], -1, 1)
    w, _ = g.weights(rng.normal(size=(4, 3, 2, 2)).astype(np.float32), 1)
    y = g.fake(g.op("ConvTranspose", x, w, strides=[2, 2]), -6, 6)
    steps, ops = judge(g, y, {"x": draw("float32", 1, 4, 6, 6)})
    assert "TRANSPOSE_CONV" in ops
    holds(steps)


def test_product_of_two_activations(judge, draw):
    g = Graph()
    x, y = g.input("x", [2, 5, 16], -2, 2), g.input("y", [2, 16, 3], -1, 1)
    feed = {"x": draw("float32", 2, 5, 16), "y": draw("float32", 2, 16, 3)}
    steps, ops = judge(g, g.fake(g.op("MatMul", x, y), -10, 10), feed)
    assert "BATCH_MATMUL" in ops
    holds(steps)


@pytest.mark.parametrize("group", [1, 4])
def test_convolution_of_one_axis(judge, rng, draw, group):
    g = Graph()
    x = g.input("x", [1, 4, 30], -2, 2)
    w, _ = g.weights(rng.normal(size=(8, 4 // group, 5)).astype(np.float32), 0)
    y = g.fake(g.op("Conv", x, w, group=group, pads=[2, 2], strides=[2]), -8, 8)
    holds(judge(g, y, {"x": draw("float32", 1, 4, 30)})[0])


def test_convolution_in_groups(judge, rng, draw):
    g = Graph()
    x = g.input("x", [1, 6, 9, 9], -2, 2)
    w, _ = g.weights(rng.normal(size=(8, 3, 3, 3)).astype(np.float32), 0)
    y = g.fake(g.op("Conv", x, w, group=2), -8, 8)
    holds(judge(g, y, {"x": draw("float32", 1, 6, 9, 9)})[0])


def test_leaky_relu(judge, draw):
    g = Graph()
    x = g.input("x", [1, 4, 9], -5, 5)
    holds(judge(g, g.fake(g.op("LeakyRelu", x, alpha=0.1), -0.5, 5), {"x": draw("float32", 1, 4, 9)})[0])


def test_parts_of_a_tensor(judge, draw):
    g = Graph()
    x = g.input("x", [1, 4, 6], -2, 2)
    g.nodes.append(helper.make_node("Split", [x], ["left", "right"], axis=1, num_outputs=2, name="split"))
    left, right = g.fake("left", -2, 2), g.fake("right", -2, 2)
    holds(judge(g, g.fake(g.op("Add", left, right), -4, 4), {"x": draw("float32", 1, 4, 6)})[0])


def test_mean_over_axes(judge, draw):
    g = Graph()
    x = g.input("x", [2, 4, 5, 6], -3, 3)
    axes = g.constant(np.asarray([2, 3], np.int64))
    y = g.op("ReduceMean", x, axes, keepdims=0)
    holds(judge(g, g.fake(y, -2, 2), {"x": draw("float32", 2, 4, 5, 6)})[0])


def convolution(zero=0):
    g = Graph()
    x = g.input("x", [1, 3, 6, 6])
    codes = g.constant(np.full((2, 3, 3, 3), 100, np.int8))
    w = g.op("DequantizeLinear", codes, g.constant(np.float32(0.01)), g.constant(np.int8(zero)))
    return g, g.op("Conv", x, w)


def test_a_float_island_is_reported_with_its_node_and_reason():
    g, y = convolution()
    model = g.model(g.fake(g.op("Exp", g.fake(y, -3, 3)), 0, 20))
    (exp,) = (n.name for n in model.graph.node if n.op_type == "Exp")
    found = [d for d in api.convert(model, verify=False).diagnostics if d.code == "EK401"]
    assert any("`EXP` stays in float" in d.message and exp in d.where.nodes for d in found)
    with pytest.raises(EdgekitError) as caught:
        api.convert(model, verify=False, options={"require_full_integer": True})
    assert {d.code for d in caught.value.diagnostics} == {"EK402"}


def test_weights_with_a_zero_point_stay_in_float():
    g, y = convolution(zero=-100)
    y = g.fake(g.op("Relu", g.fake(y, -60, 60)), 0, 60)
    found = [d.message for d in api.convert(g.model(y), verify=False).diagnostics if d.code == "EK401"]
    assert any("`CONV_2D` stays in float: its weights have a zero point" in m for m in found)


def test_codes_that_are_read_as_numbers_keep_the_exact_arithmetic(bench, draw):
    """A pad with the code 0 is not a pad with the real 0, which TFLite's kernel of int8 would take."""
    g = Graph()
    x = g.input("x", [1, 2, 4, 4], -1, 3)
    q = g.nodes[-1].input[0]
    g.nodes.pop()
    padded = g.op(
        "Pad", q, g.constant(np.asarray([0, 0, 1, 1, 0, 0, 1, 1], np.int64)), g.constant(np.int8(0))
    )
    scale, zero = g.nodes[-2].input[1:3]
    y = g.op("Relu", g.op("DequantizeLinear", padded, scale, zero))
    model, feed = g.model(y), {"x": draw("float32", 1, 2, 4, 4)}
    np.testing.assert_array_equal(bench.run(model, feed)[0], bench._source(model, feed)[0])
    assert x


def test_integer_inputs_and_outputs(draw):
    g, y = convolution()
    model, feed = g.model(g.fake(y, -30, 30)), {"x": draw("float32", 1, 3, 6, 6)}
    plain = api.convert(model, verify=False)
    integer = api.convert(model, verify=False, options={"integer_io": True, "require_full_integer": True})
    graph = read_tflite(integer.model_file.read()).main
    assert {v.dtype.name for v in (*graph.inputs, *graph.outputs)} == {"int8"}
    assert integer.input_bindings[0].quant is not None
    results = [next(iter(api.run(a, feed, isolate=False).values())) for a in (plain, integer)]
    assert np.abs(results[0] - results[1]).max() <= 60 / 255 * 1.01


@pytest.mark.parametrize(
    ("options", "code"), [({"integer": True}, "EK204"), ({"integer_io": 1}, "EK202")], ids=["name", "value"]
)
def test_options_are_checked(options, code):
    g, y = convolution()
    with pytest.raises(EdgekitError) as caught:
        api.convert(g.model(y), verify=False, options=options)
    assert caught.value.diagnostics[0].code == code


def with_float_tail():
    g, y = convolution()
    y = g.fake(y, -30, 30)
    return g.model(g.op("Softmax", g.op("Flatten", y), axis=-1)), g.scales[y]


def test_a_float_tail_is_judged_by_the_steps_at_its_front(draw):
    model, _ = with_float_tail()
    samples = [{"x": draw("float32", 1, 3, 6, 6)} for _ in range(4)]
    verification = api.convert(model, inputs=samples).verification
    assert verification.holds, verification


@pytest.mark.parametrize(("steps", "status"), [(0.5, "tie"), (6.0, "differ")])
def test_a_tail_explains_steps_and_nothing_more(draw, steps, status):
    model, scale = with_float_tail()
    source = api.load(model)
    end = tail.tail_of(source, source.outputs[0].name)
    assert list(end.front.values()) == [pytest.approx(scale)]
    sample = {"x": draw("float32", 1, 3, 6, 6)}
    with Oracle(source, isolate=True, timeout_s=60) as oracle:
        (reference,) = oracle.run(sample).values()
        logits = np.log(reference) + rng_signs(reference.shape) * scale * steps
        actual = np.exp(logits) / np.exp(logits).sum()
        delta = Delta(source.outputs[0].name, Status.DIFFER, "float32", limit=1e-6)
        pairs = [(reference, actual.astype(np.float32))]
        assert tail.settle(delta, end, pairs, [sample], oracle).status == status


def rng_signs(shape):
    return np.random.default_rng(5).choice((-1.0, 1.0), shape)


def test_a_tail_from_a_public_input_is_none():
    g, y = convolution()
    model = g.model(g.op("Add", g.fake(y, -30, 30), g.op("ReduceMax", g.op("Exp", "x"), keepdims=0)))
    source = api.load(model)
    assert tail.tail_of(source, source.outputs[0].name) is None


@pytest.mark.parametrize(("steps", "status"), [(1.0, "tie"), (4.0, "differ")])
def test_a_function_turns_one_step_into_several(draw, steps, status):
    g, y = convolution()
    y = g.fake(y, -30, 30)
    model = g.model(g.fake(g.op("Sigmoid", y), 0, 1))
    source = api.load(model)
    end = tail.function_of(source, source.outputs[0].name)
    sample = {"x": draw("float32", 1, 3, 6, 6) * 0.02}
    with Oracle(source, isolate=True, timeout_s=60) as oracle:
        front = oracle.run(sample, [y])
        reference = front[source.outputs[0].name]
        actual = 1 / (1 + np.exp(-(front[y] + steps * g.scales[y])))
        delta = Delta(source.outputs[0].name, Status.DIFFER, "float32", limit=1e-6)
        pairs = [(reference, actual.astype(np.float32))]
        assert tail.settle(delta, end, pairs, [sample], oracle, 1 / 255).status == status


def test_exact_functions_are_exact(bench, draw):
    g = Graph()
    model = g.model(g.fake(g.op("HardSwish", g.input("x", [1, 8, 9, 9], -5, 5)), -0.375, 5))
    feed = {"x": draw("float32", 1, 8, 9, 9, scale=2)}
    artifact = api.convert(
        model, verify=False, options={"exact_functions": True, "require_full_integer": True}
    )
    (got,) = api.run(artifact, feed, isolate=False).values()
    np.testing.assert_array_equal(got, bench._source(model, feed)[0])
