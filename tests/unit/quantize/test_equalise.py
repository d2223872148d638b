"""Equalisation leaves the function as it is, makes ranges alike, and leaves alone what it must."""

from __future__ import annotations

import re

import numpy as np
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgekit import api
from edgekit.lowering.onnx.emit import executable
from edgekit.passes.pipeline import prepare
from edgekit.quantize import Plan, equalise
from edgekit.quantize.pairs import pairs_of


def network(nodes, weights, shape, output):
    held = [numpy_helper.from_array(np.asarray(v), k) for k, v in weights.items()]
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)]
    outputs = [helper.make_tensor_value_info(output, TensorProto.FLOAT, None)]
    graph = helper.make_graph(nodes, "net", inputs, outputs, held)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    return Plan.of(prepare(api.load(model)).model).model


def run(model, x, names=()):
    proto = executable(model).to_proto()
    for name in names:
        proto.graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, None))
    session = ort.InferenceSession(proto.SerializeToString())
    return session.run(None, {"x": x})


def weights(rng, **shapes):
    """Weights whose channels differ by up to a thousand times."""
    return {
        name: (
            rng.normal(size=shape) * 10.0 ** rng.uniform(-3, 0, (shape[0], *[1] * (len(shape) - 1)))
        ).astype(np.float32)
        for name, shape in shapes.items()
    }


def conv(x, w, y, *, b=None, **attrs):
    return helper.make_node("Conv", [x, w, *([b] if b else [])], [y], name=y, **attrs)


def chains(rng):
    relu = helper.make_node("Relu", ["a"], ["r"])
    first = weights(rng, w=(6, 2, 3, 3), b=(6,))
    leaky = helper.make_node("LeakyRelu", ["a"], ["r"], alpha=0.2)
    slopes = {"s": rng.uniform(0.1, 2, (6, 1, 1)).astype(np.float32)}
    prelu = helper.make_node("PRelu", ["a", "s"], ["r"])
    pool = helper.make_node("MaxPool", ["r"], ["m"], kernel_shape=[2, 2], strides=[2, 2])
    flat = helper.make_node("Flatten", ["m"], ["f"])
    mean = helper.make_node("GlobalAveragePool", ["r"], ["m"])
    gemm = helper.make_node("Gemm", ["f", "v"], ["y"], transB=1, name="y")
    begin = conv("x", "w", "a", b="b", pads=[1, 1, 1, 1])
    nets = {
        "conv": ([begin, relu, conv("r", "v", "y")], weights(rng, v=(4, 6, 3, 3))),
        "leaky": ([begin, leaky, conv("r", "v", "y")], weights(rng, v=(4, 6, 1, 1))),
        "prelu": ([begin, prelu, conv("r", "v", "y")], weights(rng, v=(4, 6, 1, 1)) | slopes),
        "depthwise": ([begin, relu, conv("r", "v", "y", group=6)], weights(rng, v=(12, 1, 3, 3))),
        "grouped": ([begin, relu, conv("r", "v", "y", group=2)], weights(rng, v=(4, 3, 3, 3))),
        "flatten": ([begin, relu, pool, flat, gemm], weights(rng, v=(5, 54))),
        "mean": ([begin, leaky, mean, flat, gemm], weights(rng, v=(5, 6))),
    }
    return {name: (nodes, first | more) for name, (nodes, more) in nets.items()}


NAMES = ["conv", "leaky", "prelu", "depthwise", "grouped", "flatten", "mean"]


@pytest.mark.parametrize("with_spans", [False, True], ids=["per-tensor", "per-channel"])
@pytest.mark.parametrize("name", NAMES)
def test_the_function_stays(name, with_spans):
    rng = np.random.default_rng(5)
    nodes, held = chains(rng)[name]
    model = network(nodes, held, [1, 2, 6, 6], "y")
    x = rng.normal(size=(1, 2, 6, 6)).astype(np.float32)
    (before,) = run(model, x)
    (pair,) = pairs_of(model.ir.graph)[0]
    channels = pair.channels * pair.repeat
    old = pair.first.inputs[1].const_value.numpy()
    spans = (
        {n: rng.uniform(0.01, 5, channels) for n in equalise.watched(model.ir.graph)} if with_spans else None
    )
    done = equalise.call(model.ir, spans)
    assert done.report.changed == 1
    assert not np.allclose(pair.first.inputs[1].const_value.numpy(), old, rtol=0.01)
    np.testing.assert_allclose(run(model, x)[0], before, rtol=2e-4, atol=2e-5 * np.abs(before).max())


def test_ranges_of_rows_and_columns_become_equal():
    nodes, held = chains(np.random.default_rng(2))["conv"]
    model = network(nodes, held, [1, 2, 6, 6], "y")
    equalise.call(model.ir, None)
    (pair,) = pairs_of(model.ir.graph)[0]
    first, second = (n.inputs[1].const_value.numpy() for n in (pair.first, pair.second))
    rows, columns = np.abs(first).max(axis=(1, 2, 3)), np.abs(second).max(axis=(0, 2, 3))
    ratio = rows / columns
    np.testing.assert_allclose(ratio, ratio[0], rtol=1e-3)


def test_channels_before_a_depthwise_layer_get_one_range():
    rng = np.random.default_rng(4)
    nodes, held = chains(rng)["depthwise"]
    model = network(nodes, held, [1, 2, 6, 6], "y")
    ((name, axis),) = equalise.watched(model.ir.graph).items()
    assert axis == 1
    x = rng.normal(size=(1, 2, 6, 6)).astype(np.float32)
    spans = np.abs(run(model, x, [name])[1]).max(axis=(0, 2, 3))
    live = spans > 0
    assert spans.max() > 20 * spans[live].min()
    equalise.call(model.ir, {name: spans})
    after = np.abs(run(model, x, [name])[1]).max(axis=(0, 2, 3))
    np.testing.assert_allclose(after[live], after[live][0], rtol=1e-3)


def test_a_channel_that_never_moves_is_left_as_it_is():
    nodes, held = chains(np.random.default_rng(4))["depthwise"]
    model = network(nodes, held, [1, 2, 6, 6], "y")
    (name,) = equalise.watched(model.ir.graph)
    before = model.ir.graph.initializers["w"].const_value.numpy()
    equalise.call(model.ir, {name: np.asarray([0, 1, 1, 1, 1, 1.0])})
    (pair,) = pairs_of(model.ir.graph)[0]
    np.testing.assert_allclose(pair.first.inputs[1].const_value.numpy()[0], before[0], rtol=1e-6)


@pytest.mark.parametrize(
    ("between", "reason"),
    [
        ([helper.make_node("Clip", ["a", "low", "high"], ["r"])], "upper limit"),
        ([helper.make_node("HardSwish", ["a"], ["r"])], "`HardSwish`"),
        (
            [helper.make_node("Relu", ["a"], ["q"]), helper.make_node("Add", ["q", "x2"], ["r"])],
            "several|`Add`",
        ),
    ],
    ids=["relu6", "hard-swish", "residual"],
)
def test_what_is_left_alone_has_a_reason(between, reason):
    held = weights(np.random.default_rng(1), w=(6, 2, 1, 1), v=(4, 6, 1, 1), u=(6, 2, 1, 1))
    held |= {"low": np.float32(0), "high": np.float32(6)}
    side = [conv("x", "u", "x2")] if between[-1].op_type == "Add" else []
    if not side:
        held.pop("u")
    model = network([*side, conv("x", "w", "a"), *between, conv("r", "v", "y")], held, [1, 2, 6, 6], "y")
    pairs, apart = pairs_of(model.ir.graph)
    assert not pairs
    assert any(re.search(reason, one.reason) for one in apart if one.node == "a")
