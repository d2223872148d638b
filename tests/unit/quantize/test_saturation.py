"""Logits far below the largest, and what a Sigmoid cannot tell apart, get no codes."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgekit import api
from edgekit.passes.pipeline import prepare
from edgekit.quantize import Plan
from edgekit.quantize.saturation import narrowed, softmaxed


def graph_of(nodes, outputs, shape=(1, 4), **weights):
    held = [numpy_helper.from_array(v, k) for k, v in weights.items()]
    made = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, None) for n in outputs],
        held,
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    return Plan.of(prepare(api.load(model)).model).model.ir.graph


def dense(*after, outputs=("y",)):
    rng = np.random.default_rng(0)
    gemm = helper.make_node("Gemm", ["x", "w"], ["z"])
    return graph_of([gemm, *after], outputs, w=rng.normal(size=(4, 6)).astype(np.float32))


def test_the_low_end_before_softmax_follows_from_the_largest_entries():
    graph = dense(helper.make_node("Softmax", ["z"], ["y"]))
    (held,) = softmaxed(graph).values()
    depth = held.depth
    assert depth >= math.log(512 * 6)
    made = narrowed(graph, {"z": (-700.0, 80.0), "x": (-1.0, 1.0)}, {"z": 3.0})
    assert made["z"] == (3.0 - depth, 80.0)
    assert made["x"] == (-1.0, 1.0)
    assert narrowed(graph, {"z": (-5.0, 80.0)}, {"z": 3.0})["z"] == (-5.0, 80.0)  # it never widens
    assert narrowed(graph, {"z": (-5.0, 90.0)}, {"z": 70.0})["z"] == (0.0, 90.0)  # zero stays inside


def test_softmax_does_not_see_what_was_cut_off():
    rng = np.random.default_rng(1)
    z = rng.normal(size=(500, 6)) * 100
    graph = dense(helper.make_node("Softmax", ["z"], ["y"]))
    top = z.max(1).min()
    low = narrowed(graph, {"z": (z.min(), z.max())}, {"z": top})["z"][0]
    assert low > z.min() + 100

    def softmax(v):
        e = np.exp(v - v.max(1, keepdims=True))
        return e / e.sum(1, keepdims=True)

    assert np.abs(softmax(z) - softmax(np.maximum(z, low))).max() < 1 / 512


@pytest.mark.parametrize(("op", "function"), [("Sigmoid", lambda v: 1 / (1 + np.exp(-v))), ("Tanh", np.tanh)])
def test_the_ends_of_functions_are_within_half_a_step(op, function):
    graph = dense(helper.make_node(op, ["z"], ["y"]))
    low, high = narrowed(graph, {"z": (-40.0, 40.0)}, {})["z"]
    assert -10 < low == -high < 0
    step = 1 / 256 if op == "Sigmoid" else 1 / 128
    assert function(40.0) - function(high) < step / 2


def test_what_others_read_keeps_its_range():
    graph = dense(helper.make_node("Softmax", ["z"], ["y"]), outputs=("y", "z"))
    assert not softmaxed(graph)
    graph = dense(helper.make_node("Sigmoid", ["z"], ["s"]), helper.make_node("Mul", ["z", "s"], ["y"]))
    assert narrowed(graph, {"z": (-40.0, 40.0)}, {})["z"] == (-40.0, 40.0)


def test_a_reshape_before_it_is_narrowed_too():
    shape = {"s": np.asarray([2, 3], np.int64)}
    rng = np.random.default_rng(0)
    nodes = [
        helper.make_node("Gemm", ["x", "w"], ["z"]),
        helper.make_node("Reshape", ["z", "s"], ["r"]),
        helper.make_node("Softmax", ["r"], ["y"]),
    ]
    graph = graph_of(nodes, ["y"], w=rng.normal(size=(4, 6)).astype(np.float32), **shape)
    made = narrowed(graph, {"z": (-700.0, 80.0), "r": (-700.0, 80.0)}, {"r": 3.0})
    assert made["z"] == made["r"]
    assert made["z"][0] > -100


@pytest.mark.corpus
@pytest.mark.keras
@pytest.mark.parametrize("name", ["keypoint", "point_history"])
def test_hand_gestures_lose_at_most_a_point(corpus: Path, name: str):
    """The logits of one of them lie between -780 and 79; every twentieth row judges."""
    pytest.importorskip("tensorflow")
    rows = np.loadtxt(corpus / f"hand_gesture/{name}.csv", delimiter=",", dtype=np.float32)
    judge = rows[::20]
    fit = np.delete(rows, np.s_[::20], axis=0)
    fit = fit[np.random.default_rng(0).permutation(len(fit))[:256]]
    model = api.load(corpus / f"hand_gesture/{name}_classifier.hdf5")
    (x,) = model.inputs
    artifact = api.quantize(
        model,
        calibrate={x.name: fit[:, 1:]},
        evaluate={x.name: judge[:, 1:], "labels": judge[:, 0]},
        inputs={x.name: judge[:8, 1:]},
        require_full_integer=True,
    )
    task = {row["form"]: row["task"] for row in artifact.recipe["quantization"]["accuracy"]}
    assert task["float"] > 0.9
    assert task["executed"] >= task["float"] - 0.01
