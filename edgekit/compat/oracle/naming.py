"""Gives the tensors of a `.tflite` file names that tell them apart, where the file does not.

Compilers report by the name of a tensor. Files may leave names out, or use one twice.
"""

from __future__ import annotations

from edgekit.lowering.ledger import Lowered
from edgekit.tflite.schema import FILE_IDENTIFIER, tflite_schema


def with_distinct_names(source: Lowered, payload: bytes) -> tuple[bytes, tuple[str, ...]]:
    """Makes sure that each op can be told by the tensor that it writes.

    Args:
        source: The file as `read_tflite` reads it.
        payload: Its bytes.

    Returns:
        The file, written anew only if it must be; and the name of the first tensor that each op of the
        main graph writes in it.
    """
    names = source.main.names
    written = [names[op.outputs[0]] if op.outputs else "" for op in source.main.ops]
    everywhere = list(names.values())
    if all(written) and all(everywhere.count(name) == 1 for name in written):
        return payload, tuple(written)
    return _renamed(payload)


def _renamed(payload: bytes) -> tuple[bytes, tuple[str, ...]]:
    import flatbuffers

    schema = tflite_schema()
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(payload, 0))
    for index, graph in enumerate(model.subgraphs):
        for position, tensor in enumerate(graph.tensors):
            tensor.name = f"graph{index}_tensor{position}".encode()
    main = model.subgraphs[0]
    written = [
        main.tensors[op.outputs[0]].name.decode() if op.outputs is not None and len(op.outputs) else ""
        for op in main.operators
    ]
    builder = flatbuffers.Builder(len(payload) + (1 << 16))
    builder.Finish(model.Pack(builder), FILE_IDENTIFIER)
    return bytes(builder.Output()), tuple(written)
