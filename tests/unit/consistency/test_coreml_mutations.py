"""A package that was changed after it was written does not pass for the model that it was made from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import onnx
import onnx.parser
import pytest

from edgekit import api
from edgekit.artifact import Artifact, ArtifactFile, Verdict
from edgekit.consistency import verify

pytest.importorskip("coremltools", reason="the extra `coreml` is not installed")

TEXT = """<ir_version: 10, opset_import: ["" : 17]>
net (float[1,3,8,8] x) => (float[1,4] y) {
  conv = Conv <pads = [1, 1, 1, 1]> (x, w)
  act = LeakyRelu <alpha = 0.1> (conv)
  pool = MaxPool <kernel_shape = [2, 2], strides = [2, 2]> (act)
  flat = Flatten(pool)
  y = Gemm(flat, v)
}"""


@pytest.fixture(scope="module")
def model() -> onnx.ModelProto:
    rng = np.random.default_rng(0)
    proto = onnx.parser.parse_model(TEXT)
    for name, shape in (("w", (8, 3, 3, 3)), ("v", (128, 4))):
        array = rng.standard_normal(shape).astype(np.float32)
        proto.graph.initializer.append(onnx.numpy_helper.from_array(array, name))
    return proto


@pytest.fixture(scope="module")
def artifact(model: onnx.ModelProto) -> Artifact:
    return api.convert(model, "coreml", verify=False, options={"precision": "fp32"})


def changed(artifact: Artifact, ending: str, change: Callable[[bytes], bytes]) -> Artifact:
    files = [
        ArtifactFile.of(f.name, change(f.read())) if f.name.endswith(ending) else f for f in artifact.files
    ]
    return replace(artifact, files=tuple(files))


def edited(artifact: Artifact, op_type: str, change: Callable[[Any], None]) -> Artifact:
    """Changes the first op of a type in the program."""
    from edgekit.lowering.coreml.tools import model_proto

    def edit(payload: bytes) -> bytes:
        spec = model_proto().FromString(payload)
        function = spec.mlProgram.functions["main"]
        operations = function.block_specializations[function.opset].operations
        change(next(op for op in operations if op.type == op_type))
        return bytes(spec.SerializeToString())

    return changed(artifact, ".mlmodel", edit)


def test_the_package_as_it_was_written_holds(model: onnx.ModelProto, artifact: Artifact) -> None:
    assert verify(api.load(model), artifact).verdict is Verdict.VERIFIED


def test_a_changed_weight_is_found_at_its_op(model: onnx.ModelProto, artifact: Artifact) -> None:
    weights = onnx.numpy_helper.to_array(model.graph.initializer[0]).tobytes()[:16]

    def change(payload: bytes) -> bytes:
        place = payload.index(weights)
        return payload[:place] + np.float32([3, -3, 3, -3]).tobytes() + payload[place + 16 :]

    found = verify(api.load(model), changed(artifact, "weight.bin", change))
    assert found.verdict is Verdict.MISMATCH
    assert found.first_divergence is not None
    assert found.first_divergence.op_type == "Conv"


def test_another_op_is_found(model: onnx.ModelProto, artifact: Artifact) -> None:
    def change(op: Any) -> None:
        op.type = "relu"
        del op.inputs["alpha"]

    found = verify(api.load(model), edited(artifact, "leaky_relu", change))
    assert found.verdict is Verdict.MISMATCH
    assert found.first_divergence is not None
    assert found.first_divergence.op_type == "LeakyRelu"


def test_a_changed_attribute_is_found(model: onnx.ModelProto, artifact: Artifact) -> None:
    from edgekit.lowering.coreml.tools import model_proto

    def edit(payload: bytes) -> bytes:
        spec = model_proto().FromString(payload)
        function = spec.mlProgram.functions["main"]
        operations = function.block_specializations[function.opset].operations
        leaky = next(op for op in operations if op.type == "leaky_relu")
        argument = leaky.inputs["alpha"].arguments[0]
        if argument.WhichOneof("binding") == "value":
            value = argument.value
        else:
            constant = next(op for op in operations if op.outputs[0].name == argument.name)
            value = constant.attributes["val"]
        value.immediateValue.tensor.floats.values[0] = 0.3
        return bytes(spec.SerializeToString())

    found = verify(api.load(model), changed(artifact, ".mlmodel", edit))
    assert found.verdict is Verdict.MISMATCH
    assert found.first_divergence is not None
    assert found.first_divergence.op_type == "LeakyRelu"


def test_a_weight_file_that_was_cut_is_refused_with_its_reason(
    model: onnx.ModelProto, artifact: Artifact
) -> None:
    found = verify(api.load(model), changed(artifact, "weight.bin", lambda payload: payload[:200]))
    assert found.verdict is Verdict.MISMATCH
    assert "does not run" in (found.reason or "")
