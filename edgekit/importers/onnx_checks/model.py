"""A `ModelProto`: its versions, then its graph and functions."""

from __future__ import annotations

from typing import Any

from edgekit.importers.onnx_checks.findings import Findings, shown
from edgekit.importers.onnx_checks.graph import Facts, GraphCheck, names_of
from edgekit.importers.onnx_checks.text import broken_texts

OLDEST_OPSET = 7
"""Oldest opset whose semantics the passes know."""


def check_model(proto: Any, findings: Findings) -> Facts:
    """Checks an `onnx.ModelProto`, reading only.

    Args:
        proto: The model.
        findings: Where problems go.

    Returns:
        What later steps need to know of it.

    Raises:
        EdgekitError: EK107 when graphs are nested too deep to look at, EK108 for versions that nothing
            else can be said about.
    """
    facts = Facts()
    for text in broken_texts(proto):
        findings.add("EK103", f"the text {shown(text)} is not UTF-8")
    opsets = _check_versions(proto, findings)
    findings.raise_errors()  # what follows would only repeat it at every node
    functions = names_of(proto.functions)
    GraphCheck(findings, facts, opsets, functions).main(proto.graph)
    for function in proto.functions:
        own = {_plain(o.domain): o.version for o in function.opset_import}
        _check_function_opsets(function, opsets, own, findings)
        parameters = frozenset((*function.attribute, *(a.name for a in function.attribute_proto)))
        GraphCheck(findings, facts, own or opsets, functions, parameters).function(function)
    if len(functions) < len({(f.domain, f.name, f.overload) for f in proto.functions}):
        findings.add("EK115", "the model has overloaded functions")
    elif len(functions) < len(proto.functions):
        findings.add("EK104", "a function is defined twice")
    return facts


def _check_versions(proto: Any, findings: Findings) -> dict[str, int]:
    import onnx
    from onnx import defs

    if not 1 <= proto.ir_version <= onnx.IR_VERSION:
        what = "no IR version" if not proto.ir_version else f"the IR version {proto.ir_version}"
        code = "EK108" if proto.ir_version > onnx.IR_VERSION else "EK104"
        note = f"the installed `onnx` {onnx.__version__} reads 1 to {onnx.IR_VERSION}"
        findings.add(code, f"the model states {what}; {note}")
    opsets: dict[str, int] = {}
    for opset in proto.opset_import:
        domain = _plain(opset.domain)
        if opsets.setdefault(domain, opset.version) != opset.version:
            findings.add("EK104", f"the domain {shown(domain)} is imported in two versions")
        if not 1 <= opset.version < 2**31:
            findings.add(
                "EK108", f"the domain {shown(domain or 'ai.onnx')} is imported in version {opset.version}"
            )
    if proto.ir_version and proto.ir_version < 3:
        opsets.setdefault("", 1)  # before IR version 3 a model had no opset
    newest = {"": defs.onnx_opset_version(), "ai.onnx.ml": defs.onnx_ml_opset_version()}
    for domain, limit in newest.items():
        low = OLDEST_OPSET if domain == "" else 1
        version = opsets.get(domain, low)
        if not low <= version <= limit:
            name = "opset" if domain == "" else f"opset of `{domain}`"
            findings.add(
                "EK108",
                f"the model has {name} {version}; {low} to {limit} are supported",
                help="convert it with `onnx.version_converter`" if version < low else "upgrade `onnx`",
            )
    return opsets


def _check_function_opsets(
    function: Any, model: dict[str, int], own: dict[str, int], findings: Findings
) -> None:
    for domain, version in own.items():
        if model.get(domain, version) != version or not 1 <= version < 2**31:
            message = (
                f"the function {shown(function.name)} imports version {version} of "
                f"{shown(domain or 'ai.onnx')}, the model version {model.get(domain)}"
            )
            findings.add("EK108", message, help="export the model with one opset")


def _plain(domain: str) -> str:
    return "" if domain == "ai.onnx" else domain
