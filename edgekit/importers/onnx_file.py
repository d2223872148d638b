"""ONNX: a file, or a `ModelProto` in memory."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import onnx_ir as ir

from edgekit.diagnostics import Diagnostic, Severity, Where, error
from edgekit.importers import external_data, files, functions, order, origins
from edgekit.importers.onnx_checks import Findings, check_model
from edgekit.importers.onnx_checks.findings import shown
from edgekit.importers.onnx_checks.rewrite import rewrite
from edgekit.importers.registry import Request, imports, is_live
from edgekit.ir import Model, origin_of

PROTOBUF_LIMIT = 2**31 - 1
"""Largest protobuf message, in bytes; larger models keep their weights outside."""

KNOWN_DOMAINS = frozenset({"", "ai.onnx.ml", "ai.onnx.preview", "ai.onnx.preview.training", "com.microsoft"})
"""Domains that ONNX or its runtime define."""


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
    """Checks an `onnx.ModelProto` and brings it into the form of the hub.

    In that form nodes are sorted and carry origins, functions are inlined, constants are initializers
    but never graph inputs, and external data is bound to its files.

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
    origins.assign(model)
    if not facts.sorted:
        findings.add("EK104", "the nodes were not in the order of the data", severity=Severity.NOTE)
        order.sort(model, file)
    if facts.external and path is not None:
        external_data.bind(model, path)
    functions.inline(model, file)
    _drop_default_inputs(model, findings)
    _complete_opsets(model)
    _report_foreign_ops(model, findings)
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


def _drop_default_inputs(model: ir.Model, findings: Findings) -> None:
    """Takes initializers off the list of graph inputs.

    Before IR version 4 every initializer had to be listed; since then it means a default that a caller
    may override, which no backend of ours offers.
    """
    graph = model.graph
    listed = [v for v in graph.inputs if v.name in graph.initializers]
    for value in listed:
        graph.inputs.remove(value)
    if listed and model.ir_version >= 4:
        names = ", ".join(shown(v.name or "") for v in listed[:3]) + (", …" if len(listed) > 3 else "")
        message = f"inputs with a default become constants: {len(listed)} ({names})"
        findings.add("EK115", message, severity=Severity.NOTE)
    model.ir_version = max(model.ir_version or 0, 4)


def _complete_opsets(model: ir.Model) -> None:
    """Makes the default domain imported under its own name, also when only a pass will need it."""
    from onnx import defs

    imported = model.opset_imports
    alias = imported.pop("ai.onnx", None)
    imported.setdefault("", alias if alias is not None else defs.onnx_opset_version())


def _report_foreign_ops(model: ir.Model, findings: Findings) -> None:
    for node in model.graph.all_nodes():
        if node.domain not in KNOWN_DOMAINS:
            message = f"op `{node.op_type}` of the domain `{node.domain}`"
            findings.add("EK109", message, origin_of(node).nodes[0], severity=Severity.WARNING)
