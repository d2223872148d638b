"""The report as SARIF 2.1.0 (OASIS), for code-scanning views."""

from __future__ import annotations

import json
import os
from pathlib import PurePath
from typing import Any
from urllib.parse import quote

from edgekit.diagnostics import CODES, Diagnostic, Severity
from edgekit.diagnostics.explain import explanation
from edgekit.report.model import Report, plain
from edgekit.report.places import below_here, spread

_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "note"}


def render(report: Report) -> str:
    """Renders the diagnostics as results of one run; every code in use is a rule with its explanation."""
    report = spread(report)
    codes = sorted({d.code for d in report.diagnostics})
    invocation = {
        "executionSuccessful": report.verdict.exit_code in (0, 1),
        "exitCode": int(report.verdict.exit_code),
        "exitCodeDescription": report.verdict.text,
    }
    driver = {
        "name": "edgekit",
        "version": report.environment.get("edgekit", ""),
        "rules": [_rule(code) for code in codes],
    }
    run = {
        "tool": {"driver": driver},
        "invocations": [invocation],
        "results": [_result(d, codes) for d in report.diagnostics],
    }
    document = {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}
    return json.dumps(plain(document), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _rule(code: str) -> dict[str, Any]:
    text = explanation(code)
    return {
        "id": code,
        "shortDescription": {"text": CODES[code].title},
        "fullDescription": {"text": text.summary},
        "help": {"text": text.markdown, "markdown": text.markdown},
    }


def _result(diagnostic: Diagnostic, codes: list[str]) -> dict[str, Any]:
    lines = [diagnostic.message, *(f"note: {n}" for n in diagnostic.notes)]
    if diagnostic.help:
        lines.append(f"help: {diagnostic.help}")
    result: dict[str, Any] = {
        "ruleId": diagnostic.code,
        "ruleIndex": codes.index(diagnostic.code),
        "level": _LEVELS[diagnostic.severity],
        "message": {"text": "\n".join(lines)},
        "properties": dict(diagnostic.data),
    }
    location = _location(diagnostic)
    if location:
        result["locations"] = [location]
    return result


def _location(diagnostic: Diagnostic) -> dict[str, Any]:
    where = diagnostic.where
    location: dict[str, Any] = {}
    if where.file is not None:
        physical: dict[str, Any] = {"artifactLocation": {"uri": _uri(where.file)}}
        if where.line is not None:
            physical["region"] = {"startLine": where.line}
        location["physicalLocation"] = physical
    logical = [{"fullyQualifiedName": name, "kind": "element"} for name in where.nodes]
    if where.scope is not None:
        logical.insert(0, {"fullyQualifiedName": where.scope, "kind": "module"})
    if logical:
        location["logicalLocations"] = logical
    return location


def _uri(file: str) -> str:
    """Returns a relative reference below the working folder where possible, as viewers expect."""
    relative = below_here(file)
    if relative is not None:
        return quote(relative, errors="replace")
    return PurePath(os.path.abspath(file)).as_uri()  # noqa: PTH100 - `resolve` asks the disk
