"""Small source models, and artifacts of them whose mistakes are known."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from edgekit import api
from edgekit.artifact import Artifact, ArtifactFile, Binding, Source
from edgekit.ir import Model

Proto = onnx.ModelProto


@pytest.fixture
def make_proto() -> Callable[..., Proto]:
    """Builds a ModelProto: nodes, inputs and outputs as {name: (type, shape)}, constants by name."""
    return _make_proto


def _make_proto(
    nodes: Sequence[onnx.NodeProto],
    inputs: Mapping[str, tuple[str, Any]],
    outputs: Mapping[str, tuple[str, Any]],
    constants: Mapping[str, Any] | None = None,
    opset: int = 21,
) -> Proto:
    def info(name: str, spec: tuple[str, Any]) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, getattr(TensorProto, spec[0]), spec[1])

    graph = helper.make_graph(
        [_named(node, i) for i, node in enumerate(nodes)],
        "g",
        [info(*item) for item in inputs.items()],
        [info(*item) for item in outputs.items()],
        [onnx.numpy_helper.from_array(np.asarray(a), n) for n, a in (constants or {}).items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)


def _named(node: onnx.NodeProto, index: int) -> onnx.NodeProto:
    node.name = node.name or f"{node.op_type}_{index}"
    return node


@pytest.fixture
def make_model() -> Callable[..., Model]:
    """Imports what `make_proto` builds."""
    return lambda *args, **kwargs: api.load(_make_proto(*args, **kwargs))


@pytest.fixture
def make_artifact() -> Callable[..., Artifact]:
    """Makes an ONNX artifact of a source model out of any ModelProto."""
    return _make_artifact


def _make_artifact(model: Model, proto: Proto, backend: str = "onnx", **fields: Any) -> Artifact:
    inner = {n for node in proto.graph.node for n in node.output}
    return Artifact(
        backend,
        (ArtifactFile.of("m.onnx", proto.SerializeToString()),),
        Source("m", "onnx"),
        model.inputs,
        model.outputs,
        tuple(Binding(s.name, s.dtype) for s in model.inputs),
        tuple(Binding(s.name, s.dtype) for s in model.outputs),
        **{"tensor_map": {n: Binding(n, np.dtype(np.float32)) for n in inner}, **fields},
    )
