"""The form in which every importer hands a graph to the passes."""

from __future__ import annotations

import onnx_ir as ir

from edgekit.diagnostics import Severity
from edgekit.importers import functions, order, origins
from edgekit.importers.onnx_checks import Findings
from edgekit.importers.onnx_checks.findings import shown
from edgekit.ir import origin_of

KNOWN_DOMAINS = frozenset({"", "ai.onnx.ml", "ai.onnx.preview", "ai.onnx.preview.training", "com.microsoft"})
"""Domains that ONNX or its runtime define."""


def bring(model: ir.Model, findings: Findings, *, file: str | None = None, is_sorted: bool = True) -> None:
    """Brings a deserialized graph into the form of the hub, in place.

    In that form every node carries its origin, nodes stand in the order of the data, functions are
    inlined, constants are initializers but never graph inputs, and the default domain is imported.

    Args:
        model: The graph.
        findings: Where warnings and notes go.
        file: The model file, for diagnostics.
        is_sorted: Values are known to be produced before they are used.

    Raises:
        EdgekitError: EK104 for cycles, EK104, EK107 or EK115 for functions that cannot be inlined.
    """
    origins.assign(model)
    if not is_sorted:
        order.sort(model, file)
        findings.add("EK104", "the nodes were not in the order of the data", severity=Severity.NOTE)
    if model.functions:
        functions.inline(model, file)
        origins.assign_places(model)
    _drop_default_inputs(model, findings)
    _complete_opsets(model)
    _report_foreign_ops(model, findings)


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
