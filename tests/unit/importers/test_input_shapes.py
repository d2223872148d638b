from __future__ import annotations

import numpy as np
import pytest
from onnx import TensorProto, helper

from edgekit import api
from edgekit.diagnostics import EdgekitError


def model():
    """`If` that no backend takes unless the sizes tell which branch runs: the branches differ in rank."""
    float_ = TensorProto.FLOAT
    ports = {n: helper.make_tensor_value_info(n, float_, None) for n in ("squeezed", "same")}
    then = helper.make_graph(
        [helper.make_node("Squeeze", ["x", "one"], ["squeezed"])], "then", [], [ports["squeezed"]]
    )
    other = helper.make_graph([helper.make_node("Identity", ["x"], ["same"])], "else", [], [ports["same"]])
    graph = helper.make_graph(
        [
            helper.make_node("Shape", ["x"], ["sizes"], start=1, end=2),
            helper.make_node("Equal", ["sizes", "one"], ["is_one"]),
            helper.make_node("If", ["is_one"], ["y"], then_branch=then, else_branch=other),
            helper.make_node("Add", ["h", "h"], ["h2"]),
        ],
        "g",
        [
            helper.make_tensor_value_info("x", float_, ["batch", "n"]),
            helper.make_tensor_value_info("h", float_, [2, "batch"]),
        ],
        [
            helper.make_tensor_value_info("y", float_, None),
            helper.make_tensor_value_info("h2", float_, [2, "batch"]),
        ],
        [helper.make_tensor("one", TensorProto.INT64, [1], [1])],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


def test_fixed_sizes_decide_what_open_ones_leave_open():
    with pytest.raises(EdgekitError, match="different rank"):
        api.convert(model(), "tflite", verify=False)
    artifact = api.convert(model(), "tflite", input_shapes={"x": (3, 1)})
    assert artifact.verification.holds
    outputs = api.run(artifact, {"x": np.ones((3, 1), np.float32), "h": np.ones((2, 3), np.float32)})
    assert outputs["y"].shape == (3,)


def test_a_symbol_is_fixed_wherever_it_stands():
    loaded = api.load(model(), input_shapes={"x": (3, 4)})
    assert [spec.shape for spec in loaded.inputs] == [(3, 4), (2, 3)]
    assert loaded.outputs[1].shape == (2, 3)


@pytest.mark.parametrize(
    ("shapes", "text"),
    [
        ({"z": (1,)}, "no input `z`"),
        ({"x": (1, 2, 3)}, "it has 2 axes"),
        ({"h": (3, 1)}, "axis 0 cannot be 3: it is 2"),
        ({"x": (3, 1), "h": (2, 4)}, "`batch` is 3 elsewhere"),
        ({"x": (-3, 1)}, "cannot be -3"),
        ({"x": (99999999999, 1)}, "axis 0 is beyond int32"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(shapes, text):
    with pytest.raises(EdgekitError) as caught:
        api.load(model(), input_shapes=shapes)
    assert caught.value.diagnostics[0].code == "EK202"
    assert text in caught.value.diagnostics[0].message
