"""The report as GitHub Actions workflow commands: annotations at the user's source lines.

The escapes are those of the `@actions/core` toolkit (`command.ts`).
"""

from __future__ import annotations

from edgekit.diagnostics import Diagnostic, Severity
from edgekit.report import snippet
from edgekit.report.model import CheckStatus, Report
from edgekit.report.places import below_here, spread
from edgekit.report.values import clean

_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "notice"}


def render(report: Report) -> str:
    """Renders one command for each diagnostic and failed check, and the verdict as the last line."""
    lines = [_annotation(d) for d in spread(report).diagnostics]
    lines += [
        _command("error", clean(f"{check.name}: {check.message}"), title=f"edgekit {report.command}")
        for check in report.checks
        if check.status is CheckStatus.FAIL
    ]
    verdict = report.verdict
    level = "error" if verdict.exit_code else "notice"
    lines.append(
        _command(level, clean(f"{verdict.status}: {verdict.text}"), title=f"edgekit {report.command}")
    )
    return "\n".join(lines) + "\n"


def _annotation(diagnostic: Diagnostic) -> str:
    where = diagnostic.where
    parts = [diagnostic.message, *(f"note: {n}" for n in diagnostic.notes)]
    if where.nodes:
        parts.append(f"nodes: {snippet.nodes_text(where.nodes)}")
    if diagnostic.help:
        parts.append(f"help: {diagnostic.help}")
    properties = {"title": diagnostic.code}
    if where.file is not None:
        properties["file"] = clean(below_here(where.file) or where.file)
        if where.line is not None:
            properties["line"] = str(where.line)
    return _command(_LEVELS[diagnostic.severity], "\n".join(map(clean, parts)), **properties)


def _command(level: str, message: str, **properties: str) -> str:
    listed = ",".join(f"{key}={_property(value)}" for key, value in properties.items())
    return f"::{level} {listed}::{_data(message)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
