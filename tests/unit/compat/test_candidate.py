"""Models seen in the dialects of targets: files by their own ops, models lowered once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from edgekit import api
from edgekit.compat.candidate import Candidate
from edgekit.compat.cost import parameter
from edgekit.compat.forms import is_quantised, resized
from edgekit.compat.mlpackage import read_mlpackage
from edgekit.diagnostics import EdgekitError
from edgekit.importers import load
from edgekit.lowering.driver import REFUSED
from tests.unit.compat.conftest import network


def test_a_dialect_is_lowered_once() -> None:
    candidate = Candidate.of_model(load(network()))
    assert candidate.view("tflite") is candidate.view("tflite")
    assert candidate.view("tflite", "int8") is candidate.view("tflite", "int8")
    assert candidate.view("tflite") is not candidate.view("tflite", "int8")


def test_a_model_in_memory_is_simplified_for_onnx_and_a_file_is_not(tmp_path: Path) -> None:
    model = network()
    model.graph.node.insert(1, onnx.helper.make_node("Identity", ["a"], ["i"], name="same"))
    model.graph.node[2].input[0] = "i"
    path = tmp_path / "net.onnx"
    onnx.save(model, str(path))
    ops = [
        [op.op for op in Candidate.of_model(load(source)).view("onnx").lowered.main.ops]
        for source in (model, path)
    ]
    assert "Identity" not in ops[0]
    assert "Identity" in ops[1]


def test_a_quantised_model_is_not_quantised_again() -> None:
    artifact = api.quantize(
        load(network()), "onnx", calibrate={"x": np.ones((1, 3, 8, 8), np.float32)}, verify=False
    )
    model = load(onnx.load_model_from_string(artifact.model_file.read()))
    assert is_quantised(model)
    candidate = Candidate.of_model(model)
    assert candidate.view("tflite", "int8") is candidate.view("tflite")


def test_a_refused_node_leaves_an_op_that_no_target_knows() -> None:
    model = network(last="Acos")
    model.graph.node.insert(3, onnx.helper.make_node("Cast", ["c"], ["d"], name="wide", to=11))
    model.graph.node[4].input[0] = "d"
    lowered = Candidate.of_model(load(model)).view("tflite").lowered
    assert [op.op for op in lowered.main.ops if op.op.startswith(REFUSED)] == [f"{REFUSED}Acos"]
    assert [d.code for d in lowered.diagnostics] == ["EK303"]


def test_a_conversion_still_refuses() -> None:
    model = network(last="Acos")
    model.graph.node.insert(3, onnx.helper.make_node("Cast", ["c"], ["d"], name="wide", to=11))
    model.graph.node[4].input[0] = "d"
    with pytest.raises(EdgekitError, match="EK303"):
        api.convert(load(model), "tflite")


def test_other_sizes_leave_the_model_as_it_is() -> None:
    model = load(network())
    larger = resized(model, {"x": (2, 3, 16, 16)})
    assert model.inputs[0].shape == (1, 3, 8, 8)
    assert larger.inputs[0].shape == (2, 3, 16, 16)
    with pytest.raises(EdgekitError, match="EK202"):
        resized(model, {"z": (1,)})


def test_a_core_ml_package_is_read_as_it_is_written(tmp_path: Path) -> None:
    pytest.importorskip("coremltools", reason="needs the coreml extra")
    model = load(network())
    api.convert(model, "coreml", verify=False).save(tmp_path / "out")
    package = next((tmp_path / "out").glob("*.mlpackage"))
    read = read_mlpackage(package).main
    lowered = Candidate.of_model(model).view("coreml").lowered.main
    assert [op.op for op in read.ops if op.op != "cast"] == [op.op for op in lowered.ops]
    conv = next(op for op in read.ops if op.op == "conv")
    weights = parameter(conv, "weight")
    assert weights is not None
    assert (weights.shape, weights.dtype) == ((4, 3, 3, 3), np.float16)
    assert list(conv.attrs["strides"]) == [1, 1]
    assert {v.dtype for op in lowered.ops for v in op.outputs} == {np.dtype(np.float16)}
