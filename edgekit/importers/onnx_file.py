"""ONNX: a file, or a `ModelProto` in memory."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import onnx_ir as ir

from edgekit.diagnostics import Diagnostic, Where, error
from edgekit.importers import external_data, files, hub_form
from edgekit.importers.onnx_checks import Findings, check_model
from edgekit.importers.onnx_checks.rewrite import rewrite
from edgekit.importers.registry import Request, imports, is_live
from edgekit.ir import Model

PROTOBUF_LIMIT = 2**31 - 1
"""Largest protobuf message, in bytes; larger models keep their weights outside."""


def _is_proto(value: Any) -> bool:
    return is_live(value, "onnx", "ModelProto")


@imports("onnx", suffixes=(".onnx",), accepts=_is_proto)
def load_onnx(request: Request) -> Model:
    """Imports an ONNX file or a `ModelProto`."""
    path = request.path
    if path is None:
        graph, found = from_proto(request.source)
        return Model(graph, source="onnx", diagnostics=found)
    data = files.read_bytes(path, PROTOBUF_LIMIT)
    sha256 = hashlib.sha256(data).hexdigest()
    proto = _parse(path, data)
    del data  # the proto has its own copy
    graph, found = from_proto(proto, path=path, owned=True)
    return Model(graph, source="onnx", path=path, sha256=sha256, diagnostics=found)


def from_proto(
    proto: Any, *, path: Path | None = None, owned: bool = False
) -> tuple[ir.Model, tuple[Diagnostic, ...]]:
    """Checks an `onnx.ModelProto` and brings it into the form of the hub (see `hub_form`).

    Args:
        proto: The model; another importer's exporter may have made it.
        path: The file that it was read from; external data lies relative to it.
        owned: Nobody else holds the proto, so that it need not be copied.

    Returns:
        The graph, and the warnings and notes of the import.

    Raises:
        EdgekitError: EK103 to EK108, EK114 or EK115, with all that was found.
    """
    file = str(path) if path else None
    findings = Findings(file)
    facts = check_model(proto, findings)
    if facts.external and path is None:
        findings.add(
            "EK105",
            "the model keeps tensors outside of itself, and an object in memory has no folder",
            help="load it by its path, or with its external data",
        )
    findings.raise_errors()
    if not owned:
        proto = _copy(proto)
    if facts.rewrite:
        rewrite(proto, findings)
    model = _deserialize(proto, file)
    if facts.external and path is not None:
        external_data.bind(model, path)
    hub_form.bring(model, findings, file=file, is_sorted=facts.sorted)
    return model, findings.diagnostics()


def _parse(path: Path, data: bytes) -> Any:
    import onnx
    from google.protobuf.message import DecodeError

    try:
        proto = onnx.ModelProto.FromString(data)
    except DecodeError as failure:
        if "MaxDepth" in str(failure):
            raise error("EK107", "graphs are nested too deep", where=Where(file=str(path))) from None
        raise files.unlike(path, data, "an ONNX model") from None
    if not proto.HasField("graph"):
        raise files.unlike(path, data, "an ONNX model")
    return proto


def _copy(proto: Any) -> Any:
    """Copies what was checked; the training graphs were not, and nothing needs them."""
    import onnx

    copy = onnx.ModelProto()
    for field, value in proto.ListFields():
        if field.name == "training_info":
            continue
        if field.name in ("graph",):
            copy.graph.CopyFrom(value)
        elif isinstance(value, str | int):
            setattr(copy, field.name, value)
        else:
            getattr(copy, field.name).extend(value)
    return copy


def _deserialize(proto: Any, file: str | None) -> ir.Model:
    try:
        return ir.serde.deserialize_model(proto)
    except Exception as failure:
        # The checks above should leave nothing to refuse; what onnx_ir still refuses is reported.
        cause: BaseException = failure
        while cause.__cause__ is not None:
            cause = cause.__cause__
        raise error(
            "EK104", "the graph cannot be read", where=Where(file=file), notes=[str(cause)[:500]]
        ) from failure
