"""ONNX: a file, or a `ModelProto` in memory."""

from __future__ import annotations

import hashlib
from typing import Any

import onnx_ir as ir

from edgekit.importers import files, origins
from edgekit.importers.registry import Request, imports, is_live
from edgekit.ir import Model

_PROTOBUF_LIMIT = 2**31 - 1
"""Largest protobuf message, in bytes; larger models keep their weights outside."""


def _is_proto(value: Any) -> bool:
    return is_live(value, "onnx", "ModelProto")


@imports("onnx", suffixes=(".onnx",), accepts=_is_proto)
def load_onnx(request: Request) -> Model:
    """Imports an ONNX file or a `ModelProto`."""
    import onnx
    from google.protobuf.message import DecodeError

    path = request.path
    if path is None:
        proto = onnx.ModelProto()
        proto.CopyFrom(request.source)
        model = ir.serde.deserialize_model(proto)
        origins.assign(model)
        return Model(model, source="onnx")
    data = files.read_bytes(path, _PROTOBUF_LIMIT)
    try:
        proto = onnx.ModelProto.FromString(data)
    except DecodeError:
        raise files.unlike(path, data, "an ONNX model") from None
    model = ir.serde.deserialize_model(proto)
    origins.assign(model)
    return Model(model, source="onnx", path=path, sha256=hashlib.sha256(data).hexdigest())
