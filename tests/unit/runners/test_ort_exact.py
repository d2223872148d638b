"""Sums of uint8 times int8 that saturate on some CPUs are computed in a form that is exact on all."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgekit.runners import runner_for
from edgekit.runners.ort_exact import exact_form, products_saturate

A, W = np.full((2, 64), 255, np.uint8), np.full((64, 3), -128, np.int8)
SUM = 255 * -128 * 64


def product(*, op: str = "MatMulInteger", points: bool = True, const: bool = True) -> onnx.ModelProto:
    names = ["a", "w"] + (["az", "wz"] if points else [])
    constants = {"az": np.uint8(0), "wz": np.int8(0)} if points else {}
    constants |= {"w": W} if const else {}
    ports = [helper.make_tensor_value_info("a", TensorProto.UINT8, A.shape)]
    ports += [] if const else [helper.make_tensor_value_info("w", TensorProto.INT8, W.shape)]
    graph = helper.make_graph(
        [helper.make_node(op, names, ["y"])],
        "g",
        ports,
        [helper.make_tensor_value_info("y", TensorProto.INT32, [2, 3])],
        [numpy_helper.from_array(np.asarray(v), n) for n, v in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


@pytest.mark.parametrize("points", [True, False])
@pytest.mark.parametrize("const", [True, False])
def test_the_exact_form_gives_the_exact_sum(points, const):
    payload = product(points=points, const=const).SerializeToString()
    changed = exact_form(payload, lambda: True)
    assert changed != payload
    with runner_for("onnx", isolate=False) as runner:
        (result,) = runner.run(changed, {"a": A} if const else {"a": A, "w": W}).values()
    np.testing.assert_array_equal(result, np.full((2, 3), SUM, np.int32))


def test_the_runner_is_exact_on_this_cpu():
    with runner_for("onnx", isolate=False) as runner:
        (result,) = runner.run(product().SerializeToString(), {"a": A}).values()
    np.testing.assert_array_equal(result, np.full((2, 3), SUM, np.int32))


def test_a_product_of_the_runtimes_own_domain_is_exact_too():
    """The type of its first factor is known by its zero point alone: nothing infers the ops before it."""
    scales = {"as": np.float32(1), "az": np.uint8(0), "w": W, "ws": np.float32(1), "wz": np.int8(0)}
    node = helper.make_node("QGemm", ["a", "as", "az", "w", "ws", "wz"], ["y"], domain="com.microsoft")
    graph = helper.make_graph(
        [node],
        "g",
        [helper.make_tensor_value_info("a", TensorProto.UINT8, A.shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [2, 3])],
        [numpy_helper.from_array(np.asarray(v), n) for n, v in scales.items()],
    )
    domains = [helper.make_opsetid("", 21), helper.make_opsetid("com.microsoft", 1)]
    model = helper.make_model(graph, opset_imports=domains, ir_version=10)
    changed = exact_form(model.SerializeToString(), lambda: True)
    with runner_for("onnx", isolate=False) as runner:
        (result,) = runner.run(changed, {"a": A}).values()
    np.testing.assert_array_equal(result, np.full((2, 3), SUM, np.float32))


def test_outputs_and_intermediates_keep_their_names():
    changed = onnx.load_model_from_string(exact_form(product().SerializeToString(), lambda: True))
    assert [o.name for o in changed.graph.output] == ["y"]
    onnx.checker.check_model(changed, full_check=True)


def test_nested_graphs_are_changed_too():
    inner = product().graph
    captured = helper.make_graph(inner.node, "then", [], inner.output, inner.initializer)
    other = helper.make_graph(
        [helper.make_node("Constant", [], ["z"], value=numpy_helper.from_array(np.zeros((2, 3), np.int32)))],
        "else",
        [],
        [helper.make_tensor_value_info("z", TensorProto.INT32, [2, 3])],
    )
    node = helper.make_node("If", ["c"], ["out"], then_branch=captured, else_branch=other)
    graph = helper.make_graph(
        [node],
        "g",
        [helper.make_tensor_value_info("c", TensorProto.BOOL, []), inner.input[0]],
        [helper.make_tensor_value_info("out", TensorProto.INT32, [2, 3])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    changed = exact_form(model.SerializeToString(), lambda: True)
    with runner_for("onnx", isolate=False) as runner:
        (result,) = runner.run(changed, {"c": np.asarray(True), "a": A}).values()
    np.testing.assert_array_equal(result, np.full((2, 3), SUM, np.int32))


@pytest.mark.parametrize("saturates", [True, False])
def test_other_models_stay_as_they_are(tmp_path, saturates):
    graph = helper.make_graph(
        [helper.make_node("Relu", ["x"], ["QLinearConv"])],  # the name alone changes nothing
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])],
        [helper.make_tensor_value_info("QLinearConv", TensorProto.FLOAT, [1])],
    )
    payload = helper.make_model(graph).SerializeToString()
    assert exact_form(payload, lambda: saturates) is payload
    path = tmp_path / "model.onnx"
    path.write_bytes(product().SerializeToString())
    assert (exact_form(path, lambda: saturates) is path) is not saturates


def test_cpus_that_are_exact_are_left_alone():
    payload = product().SerializeToString()
    assert exact_form(payload, lambda: False) is payload


def test_the_probe_says_what_the_plain_runtime_does():
    payload = product().SerializeToString()
    session = onnxruntime.InferenceSession(payload, providers=["CPUExecutionProvider"])
    (result,) = session.run(None, {"a": A})
    assert products_saturate() is bool((result != SUM).any())
