"""Models, and packages that are changed after they were written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from edgekit import api
from edgekit.artifact import Artifact, ArtifactFile, Verification
from edgekit.consistency import verify
from edgekit.lowering.coreml.tools import model_proto

Port = tuple[int, Sequence[Any]]


def model(
    nodes: Sequence[onnx.NodeProto], inputs: dict[str, Port], outputs: dict[str, Port], **weights: np.ndarray
) -> onnx.ModelProto:
    """Makes a model; ports are dtype and shape."""
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info(n, t, s) for n, (t, s) in inputs.items()],
        [helper.make_tensor_value_info(n, t, s) for n, (t, s) in outputs.items()],
        [numpy_helper.from_array(w, n) for n, w in weights.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


def spec(artifact: Artifact) -> Any:
    """Returns the specification of a package."""
    return model_proto().FromString(artifact.model_file.read())


def operations(message: Any) -> Any:
    """Returns the ops of the main function of a specification."""
    function = message.mlProgram.functions["main"]
    return function.block_specializations[function.opset].operations


def op_types(artifact: Artifact) -> list[str]:
    """Returns the types of a package's ops, constants left out."""
    return [op.type for op in operations(spec(artifact)) if op.type != "const"]


def changed(artifact: Artifact, change: Callable[[Any], None]) -> Artifact:
    """Changes the specification of a package."""
    message = spec(artifact)
    change(message)
    first = ArtifactFile.of(artifact.model_file.name, bytes(message.SerializeToString()))
    return replace(artifact, files=(first, *artifact.files[1:]))


def verdict(source: onnx.ModelProto, artifact: Artifact) -> Verification:
    """Verifies a package against its source."""
    return verify(api.load(source), artifact)
