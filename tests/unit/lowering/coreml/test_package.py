"""The package as Core ML sees it: ports, precision, flexible shapes, metadata, compressed weights."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgekit import api
from edgekit.artifact import Artifact
from edgekit.diagnostics import EdgekitError
from edgekit.runners.execute import run_artifact

pytest.importorskip("coremltools", reason="the extra `coreml` is not installed")
from edgekit.lowering.coreml.package import LABELS_NAME, ORIGINS_NAME
from edgekit.lowering.coreml.tools import model_proto

FLOAT, INT64, BOOL = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL


def model(
    nodes: Sequence[onnx.NodeProto],
    inputs: dict[str, tuple[int, Sequence[Any]]],
    outputs: dict[str, tuple[int, Sequence[Any]]],
    **weights: np.ndarray,
) -> onnx.ModelProto:
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info(n, t, s) for n, (t, s) in inputs.items()],
        [helper.make_tensor_value_info(n, t, s) for n, (t, s) in outputs.items()],
        [numpy_helper.from_array(w, n) for n, w in weights.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


def network(batch: Any = 1) -> onnx.ModelProto:
    rng = np.random.default_rng(0)
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["a/b:c"], "conv.1", pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["a/b:c"], ["r"], "relu"),
        helper.make_node("GlobalAveragePool", ["r"], ["p"], "pool"),
        helper.make_node("Softmax", ["p"], ["y"], "softmax", axis=1),
    ]
    ports = {"x": (FLOAT, [batch, 3, 8, 8])}, {"y": (FLOAT, [batch, 16, 1, 1])}
    return model(nodes, *ports, w=rng.standard_normal((16, 3, 3, 3)).astype(np.float32))


def convert(source: onnx.ModelProto, verify: bool = False, **options: Any) -> Artifact:
    return api.convert(source, "coreml", verify=verify, options=options)


def spec(artifact: Artifact) -> Any:
    return model_proto().FromString(artifact.model_file.read())


def op_types(artifact: Artifact) -> list[str]:
    function = spec(artifact).mlProgram.functions["main"]
    operations = function.block_specializations[function.opset].operations
    return [op.type for op in operations if op.type != "const"]


def test_the_files_of_a_package():
    artifact = convert(network())
    names = [f.name for f in artifact.files]
    assert names[0] == "g.mlpackage/Data/com.apple.CoreML/model.mlmodel"
    assert set(names[1:]) == {
        "g.mlpackage/Manifest.json",
        "g.mlpackage/Data/com.apple.CoreML/weights/weight.bin",
    }


def test_one_model_gives_the_same_bytes():
    first, second = convert(network()), convert(network())
    assert [f.sha256 for f in first.files] == [f.sha256 for f in second.files]


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_both_precisions_verify(precision):
    artifact = convert(network(), verify=True, precision=precision)
    assert artifact.verification is not None
    assert artifact.verification.verdict == "verified"
    assert ("cast" in op_types(artifact)) == (precision == "fp16")


def test_mixed_precision_keeps_what_is_named():
    artifact = convert(network(), precision="mixed", keep_fp32=["conv.1", "softmax"])
    function = spec(artifact).mlProgram.functions["main"]
    operations = function.block_specializations[function.opset].operations
    dtypes = {op.type: op.outputs[0].type.tensorType.dataType for op in operations}
    kinds = type(operations[0].outputs[0].type.tensorType).DESCRIPTOR.fields_by_name["dataType"].enum_type
    number = {name: value.number for name, value in kinds.values_by_name.items()}
    assert dtypes["conv"] == dtypes["softmax"] == number["FLOAT32"]
    assert dtypes["relu"] == number["FLOAT16"]
    with pytest.raises(EdgekitError, match="neither an op nor a tensor"):
        convert(network(), precision="mixed", keep_fp32=["nothing"])


@pytest.mark.parametrize("target", ["iOS15", "iOS16", "iOS17", "macOS15"])
def test_deployment_targets_set_the_version(target):
    artifact = convert(network(), verify=True, minimum_deployment_target=target)
    versions = {"iOS15": 6, "iOS16": 7, "iOS17": 8, "macOS15": 9}
    assert spec(artifact).specificationVersion == versions[target]
    assert artifact.verification is not None
    assert artifact.verification.verdict == "verified"


def test_origins_are_in_the_artifact_and_in_the_file():
    for precision in ("fp32", "fp16"):
        artifact = convert(network(), precision=precision)
        stored = json.loads(spec(artifact).description.metadata.userDefined[ORIGINS_NAME])
        nodes = {node for origin in artifact.origins.values() for node in origin.nodes}
        assert nodes >= {"conv.1", "relu", "pool", "softmax"}
        assert set(stored) == set(artifact.origins)


def test_intermediates_are_found_by_the_names_of_the_source():
    artifact = convert(network(), precision="fp32")
    x = np.ones((1, 3, 8, 8), np.float32)
    observed = run_artifact(artifact, {"x": x}, intermediates=["a/b:c", "r"])
    np.testing.assert_array_equal(np.maximum(observed["a/b:c"], 0), observed["r"])


def test_metadata_is_stored():
    given = {"author": "me", "license": "MIT", "description": "a net", "version": "2"}
    stored = spec(convert(network(), metadata=given)).description.metadata
    assert (stored.author, stored.license, stored.shortDescription, stored.versionString) == tuple(
        given.values()
    )


def test_ranges_and_enumerated_shapes():
    ranged = spec(convert(network("N"), ranges={"x": {"0": [1, 4]}})).description.input[0].type.multiArrayType
    assert next((r.lowerBound, r.upperBound) for r in ranged.shapeRange.sizeRanges) == (1, 4)
    shapes = [[1, 3, 8, 8], [2, 3, 8, 8]]
    listed = spec(convert(network("N"), enumerated={"x": shapes})).description.input[0].type.multiArrayType
    assert [list(s.shape) for s in listed.enumeratedShapes.shapes] == shapes
    for options in (
        {"ranges": {"x": {"1": [1, 4]}}},
        {"enumerated": {"x": [[1, 4, 8, 8]]}},
        {"ranges": {"z": {}}},
    ):
        with pytest.raises(EdgekitError, match="EK204"):
            convert(network("N"), **options)


def test_labels_are_stored():
    artifact = api.convert(network(), "coreml", verify=False, labels="cat\ndog\n")
    assert spec(artifact).description.metadata.userDefined[LABELS_NAME] == "cat\ndog\n"


def test_ports_of_other_dtypes_and_ranks():
    nodes = [
        helper.make_node("Not", ["flag"], ["n"]),
        helper.make_node("Cast", ["n"], ["i"], to=INT64),
        helper.make_node("ReduceMax", ["ids"], ["m"], keepdims=0),
        helper.make_node("Identity", ["one"], ["same"]),
    ]
    inputs = {"flag": (BOOL, [2]), "ids": (INT64, [3]), "one": (FLOAT, [])}
    outputs = {"n": (BOOL, [2]), "i": (INT64, [2]), "m": (INT64, []), "same": (FLOAT, [])}
    artifact = convert(model(nodes, inputs, outputs), precision="fp32")
    assert [b.dtype.name for b in artifact.input_bindings] == ["int32", "int32", "float32"]
    assert [b.boxed for b in artifact.output_bindings] == [False, False, True, True]
    feed = {"flag": np.array([True, False]), "ids": np.array([5, -3, 7]), "one": np.float32(2.5)}
    result = run_artifact(artifact, {k: np.asarray(v) for k, v in feed.items()})
    assert result["n"].tolist() == [False, True]
    assert result["i"].tolist() == [0, 1]
    assert result["i"].dtype == np.int64
    assert result["m"].shape == ()
    assert result["m"] == 7
    assert result["same"] == np.float32(2.5)
    with pytest.raises(EdgekitError, match="EK505"):
        run_artifact(artifact, {**feed, "one": np.asarray(feed["one"]), "ids": np.array([2**40, 0, 0])})


@pytest.mark.parametrize(
    ("source", "text"),
    [
        (model([helper.make_node("Abs", ["x"], ["y"])], {"x": (11, [2])}, {"y": (11, [2])}), "float64"),
        (model([helper.make_node("Abs", ["x"], ["y"])], {"x": (1, [0])}, {"y": (1, [0])}), "no elements"),
        (model([helper.make_node("Abs", ["x"], ["y"])], {"x": (1, [1] * 6)}, {"y": (1, [1] * 6)}), "6 axes"),
    ],
)
def test_what_has_no_port_is_refused(source, text):
    with pytest.raises(EdgekitError, match=text):
        convert(source)


def test_a_detour_over_six_axes_is_split():
    nodes = [
        helper.make_node("Reshape", ["x", "six"], ["a"]),
        helper.make_node("Transpose", ["a"], ["b"], perm=[0, 1, 3, 5, 2, 4]),
        helper.make_node("Reshape", ["b", "four"], ["y"]),
    ]
    shapes = {"six": np.array([1, 4, 2, 3, 2, 3]), "four": np.array([1, 36, 2, 2])}
    source = model(nodes, {"x": (FLOAT, [1, 4, 6, 6])}, {"y": (FLOAT, [1, 36, 2, 2])}, **shapes)
    x = np.arange(144, dtype=np.float32).reshape(1, 4, 6, 6)
    expected = x.reshape(1, 4, 2, 3, 2, 3).transpose(0, 1, 3, 5, 2, 4).reshape(1, 36, 2, 2)
    np.testing.assert_array_equal(run_artifact(convert(source, precision="fp32"), {"x": x})["y"], expected)
    nodes[1:] = [helper.make_node("Relu", ["a"], ["r"]), helper.make_node("Reshape", ["r", "four"], ["y"])]
    with pytest.raises(EdgekitError, match="at most 5"):
        convert(model(nodes, {"x": (FLOAT, [1, 4, 6, 6])}, {"y": (FLOAT, [1, 36, 2, 2])}, **shapes))


def test_casts_that_lose_values_survive_the_passes():
    nodes = [
        helper.make_node("Cast", ["x"], ["i"], to=TensorProto.INT32),
        helper.make_node("Cast", ["i"], ["f"], to=FLOAT),
        helper.make_node("Cast", ["f"], ["b"], to=BOOL),
        helper.make_node("Cast", ["b"], ["y"], to=FLOAT),
    ]
    source = model(nodes, {"x": (FLOAT, [3])}, {"f": (FLOAT, [3]), "y": (FLOAT, [3])})
    result = run_artifact(convert(source, precision="fp32"), {"x": np.array([1.7, -2.5, 0.4], np.float32)})
    assert result["f"].tolist() == [1, -2, 0]
    assert result["y"].tolist() == [1, 1, 0]


def test_int64_that_may_leave_int32_is_refused_or_accepted_by_name():
    source = model([helper.make_node("Add", ["x", "x"], ["y"])], {"x": (INT64, [2])}, {"y": (INT64, [2])})
    with pytest.raises(EdgekitError, match="could leave int32"):
        convert(source)
    accepted = api.convert(
        source, "coreml", verify=False, allow_approximate=True, options={"precision": "fp32"}
    )
    assert [d.code for d in accepted.diagnostics] == ["EK304"]
    assert run_artifact(accepted, {"x": np.array([3, -4])})["y"].tolist() == [6, -8]


def test_coremltools_comes_without_the_frameworks(tmp_path):
    for name in ("torch", "tensorflow"):  # stand-ins, for the real ones take seconds
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("")
    code = (
        "import sys; from edgekit.lowering.coreml.tools import coremltools; coremltools();"
        "assert not {'torch', 'tensorflow'} & set(sys.modules); import torch, tensorflow"
    )
    path = os.pathsep.join([str(tmp_path), *filter(None, sys.path)])
    environment = {**os.environ, "PYTHONPATH": path}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr
