"""Fixtures that tests of several rooms use."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

# Machines are busy: no property is held to time.
settings.register_profile("edgekit", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("edgekit")

CORPUS = Path(__file__).resolve().parents[2] / "shared" / "corpus"


@pytest.fixture
def corpus() -> Path:
    """The optional model corpus beside the repository."""
    if not CORPUS.is_dir():
        pytest.skip("the optional model corpus is not beside the repository")
    return CORPUS


@pytest.fixture
def make_tflite() -> Callable[..., bytes]:
    """Writes a tiny TFLite file from tensors and builtin ops without options."""
    return _make_tflite


def _make_tflite(
    tensors: dict[str, tuple[str, Sequence[int], Any]],
    ops: Sequence[tuple[str, Sequence[str], Sequence[str]]],
    inputs: Sequence[str],
    outputs: Sequence[str],
    *,
    signature: tuple[dict[str, str], dict[str, str]] | None = None,
    names: dict[str, str] | None = None,
) -> bytes:
    """Builds the file; independent of edgekit's own writer.

    Args:
        tensors: Type, shape (-1: dynamic) and data or `None`, by key.
        ops: Builtin op, keys of its inputs, keys of its outputs.
        inputs: Keys.
        outputs: Keys.
        signature: Keys of inputs and of outputs by the signature's names.
        names: Written names of tensors where they are not the keys.
    """
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    keys = list(tensors)
    model = schema.ModelT()
    model.version = 3
    model.buffers = [schema.BufferT()]
    graph = schema.SubGraphT()
    graph.tensors = []
    for key, (kind, shape, data) in tensors.items():
        tensor = schema.TensorT()
        tensor.name = (names or {}).get(key, key).encode()
        tensor.type = getattr(schema.TensorType, kind)
        tensor.shape = [max(size, 1) for size in shape]
        if any(size < 0 for size in shape):
            tensor.shapeSignature = list(shape)
        if data is not None:
            tensor.buffer = len(model.buffers)
            buffer = schema.BufferT()
            buffer.data = np.frombuffer(np.asarray(data).tobytes(), np.uint8)
            model.buffers.append(buffer)
        graph.tensors.append(tensor)
    codes = sorted({op for op, _, _ in ops})
    model.operatorCodes = []
    for op in codes:
        code = schema.OperatorCodeT()
        code.builtinCode = getattr(schema.BuiltinOperator, op)
        code.deprecatedBuiltinCode = min(code.builtinCode, 127)
        code.version = 1
        model.operatorCodes.append(code)
    graph.operators = []
    for op, taken, made in ops:
        operator = schema.OperatorT()
        operator.opcodeIndex = codes.index(op)
        operator.inputs = [keys.index(k) for k in taken]
        operator.outputs = [keys.index(k) for k in made]
        graph.operators.append(operator)
    graph.inputs = [keys.index(k) for k in inputs]
    graph.outputs = [keys.index(k) for k in outputs]
    model.subgraphs = [graph]
    if signature is not None:
        model.signatureDefs = [_signature(schema, keys, signature)]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def _signature(schema: Any, keys: Sequence[str], names: tuple[dict[str, str], dict[str, str]]) -> Any:
    definition = schema.SignatureDefT()
    definition.signatureKey = b"serving_default"
    definition.subgraphIndex = 0
    definition.inputs, definition.outputs = (_maps(schema, keys, side) for side in names)
    return definition


def _maps(schema: Any, keys: Sequence[str], names: dict[str, str]) -> list[Any]:
    maps = []
    for name, key in names.items():
        entry = schema.TensorMapT()
        entry.name = name.encode()
        entry.tensorIndex = keys.index(key)
        maps.append(entry)
    return maps
