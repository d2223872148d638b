"""TFLite files: float and quantised models, whose integers, scales and zero points are kept."""

from __future__ import annotations

import hashlib

from edgekit.importers import files
from edgekit.importers.registry import Request, imports
from edgekit.ir import Model

LIMIT = 2**31 - 1
"""Largest flatbuffer, in bytes."""


@imports("tflite", suffixes=(".tflite",))
def load_tflite(request: Request) -> Model:
    """Imports a TFLite file."""
    from edgekit.importers.tflite import translate
    from edgekit.importers.tflite.metadata import metadata_of
    from edgekit.tflite.reader import read_tflite

    path = request.source
    data = files.read_bytes(path, LIMIT)
    if data[4:8] != b"TFL3":
        raise files.unlike(path, data, "a TFLite model")
    graph, warnings = translate(read_tflite(path).main, str(path))
    graph.metadata_props.update(metadata_of(data, str(path)))
    return Model(
        graph, source="tflite", path=path, sha256=hashlib.sha256(data).hexdigest(), diagnostics=warnings
    )
