from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from edgekit.diagnostics import EdgekitError
from edgekit.runners import ALL_INTERMEDIATES
from edgekit.runners.reference import ReferenceRunner


def model(*nodes: onnx.NodeProto) -> bytes:
    graph = helper.make_graph(
        list(nodes),
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 2])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)]).SerializeToString()


def test_it_runs_and_shows_intermediates() -> None:
    payload = model(helper.make_node("Neg", ["x"], ["t"]), helper.make_node("Exp", ["t"], ["y"]))
    x = np.array([[1, 2]], np.float32)
    results = ReferenceRunner().run(payload, {"x": x}, intermediates=ALL_INTERMEDIATES)
    assert list(results) == ["y", "t"]
    np.testing.assert_allclose(results["y"], np.exp(-x), rtol=1e-6)
    assert ReferenceRunner().ports(payload).outputs[0].shape is None


def test_outputs_do_not_share_memory_with_inputs() -> None:
    x = np.ones((1, 2), np.float32)
    out = ReferenceRunner().run(model(helper.make_node("Identity", ["x"], ["y"])), {"x": x})["y"]
    out[:] = 5
    assert x.tolist() == [[1, 1]]


@pytest.mark.parametrize("payload", [b"garbage", model(helper.make_node("NoSuchOp", ["x"], ["y"]))])
def test_what_it_cannot_run_is_refused(payload: bytes) -> None:
    with pytest.raises(EdgekitError) as error:
        ReferenceRunner().run(payload, {"x": np.zeros((1, 2), np.float32)})
    assert error.value.diagnostics[0].code == "EK503"


def test_inputs_are_checked() -> None:
    with pytest.raises(EdgekitError) as error:
        ReferenceRunner().run(model(helper.make_node("Neg", ["x"], ["y"])), {"x": np.zeros((1, 3))})
    assert error.value.diagnostics[0].code == "EK505"
