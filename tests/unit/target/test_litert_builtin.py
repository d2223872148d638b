"""The table of LiteRT's own kernels against LiteRT."""

from __future__ import annotations

from importlib import metadata

import flatbuffers
import pytest

from edgekit.compat import target
from edgekit.lowering.tflite.emit import tflite_schema

TABLE = target("litert-builtin")
VERSIONS = range(1, 5)


def has_kernel(name: str) -> bool:
    """Tells whether the interpreter finds a kernel for an op in some version; no op of it is run."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    schema = tflite_schema()
    for version in VERSIONS:
        code, graph, buffer, model = (
            getattr(schema, f"{kind}T")() for kind in ("OperatorCode", "SubGraph", "Buffer", "Model")
        )
        code.builtinCode, code.version = getattr(schema.BuiltinOperator, name), version
        code.deprecatedBuiltinCode = min(code.builtinCode, 127)
        graph.tensors, graph.inputs, graph.outputs, graph.operators, buffer.data = [], [], [], [], []
        model.version, model.operatorCodes, model.subgraphs, model.buffers = 3, [code], [graph], [buffer]
        builder = flatbuffers.Builder(256)
        builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
        kind = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
        try:
            Interpreter(model_content=bytes(builder.Output()), experimental_op_resolver_type=kind)
        except ValueError as failure:
            if "find op" not in str(failure):
                raise
            continue
        return True
    return False


@pytest.mark.skipif(
    metadata.version("ai-edge-litert") != TABLE.toolchain.version, reason="the table is of another LiteRT"
)
def test_the_table_is_what_the_resolver_knows() -> None:
    enum = tflite_schema().BuiltinOperator
    names = [n for n in vars(enum) if not n.startswith("_")]
    asked = [n for n in names if n not in ("CUSTOM", "DELEGATE", "PLACEHOLDER_FOR_GREATER_OP_CODES")]
    assert {n for n in asked if has_kernel(n)} == set(TABLE.ops)
