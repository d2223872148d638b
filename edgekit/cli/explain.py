"""`edgekit explain`: what a code means, why it exists, an example, and what to do."""

from __future__ import annotations

import click

from edgekit.cli.console import Console, environment
from edgekit.cli.frame import command as make
from edgekit.cli.usage import unknown_name
from edgekit.diagnostics import CODES
from edgekit.diagnostics.explain import explanation
from edgekit.report import Column, Kind, Prose, Report, Row, Subject, Table, Verdict, VerdictStatus


@make("explain", tolerant=True)
@click.argument("code", required=False)
def command(console: Console, code: str | None) -> Report:
    """Explain a diagnostic code such as EK302; without a code, list them all."""
    if code is None:
        return _all()
    name = _normal(code)
    console.subject = Subject(name)
    if name not in CODES:
        raise unknown_name("code", name, CODES, listed_by="edgekit explain")
    text = explanation(name)
    body = text.markdown.partition("\n")[2].strip()
    entry = CODES[name]
    return Report(
        "explain",
        Subject(name),
        Verdict(VerdictStatus.OK, f"{name} is explained; as an error it exits with {int(entry.exit_code)}"),
        (Prose("explanation", f"{name}: {text.title}", body),),
        environment=environment(),
    )


def _normal(code: str) -> str:
    """Accepts `ek302` and `302` for `EK302`."""
    upper = code.strip().upper()
    return f"EK{upper}" if upper.isdigit() else upper


def _all() -> Report:
    rows: tuple[Row, ...] = tuple(
        {"code": code, "title": entry.title, "exit_code": int(entry.exit_code)}
        for code, entry in CODES.items()
    )
    columns = (
        Column("code", "code", Kind.NAME),
        Column("title", "meaning"),
        Column("exit_code", "exit", Kind.COUNT),
    )
    return Report(
        "explain",
        Subject("codes"),
        Verdict(VerdictStatus.OK, f"{len(rows)} codes; `edgekit explain CODE` explains one"),
        (Table("codes", "Diagnostic codes", columns, rows),),
        environment=environment(),
    )
