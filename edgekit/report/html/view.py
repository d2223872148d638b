"""What the template shows: sections as cells that are ready to be printed, and a few figures up front."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from edgekit.diagnostics import Diagnostic
from edgekit.report import snippet
from edgekit.report.html import chart, markup
from edgekit.report.model import (
    Check,
    CheckStatus,
    Column,
    Fact,
    Facts,
    Graph,
    Kind,
    Prose,
    Report,
    Section,
    Table,
    Value,
    VerdictStatus,
)
from edgekit.report.paint import STATUS_ROLES
from edgekit.report.values import RIGHT, clean, show

_TILES = frozenset({Kind.COUNT, Kind.SIZE, Kind.OPS})
_MOST_TILES = 5
_FILTER_FROM = 8
_PICTURED = "pareto"
"""The table that is shown as a picture too."""
_DECADES_BELOW = 6
_DECADES_ABOVE = 2


@dataclass(frozen=True, slots=True)
class Cell:
    """A value ready to be shown.

    Attributes:
        text: As people read it.
        items: Its parts, for a list of names.
        css: Classes that say what it is.
        order: What it is sorted by.
        bar: Length of a bar behind it, from 0 to 1; `None` for none.
    """

    text: str
    items: tuple[str, ...]
    css: str
    order: str
    bar: float | None


@dataclass(frozen=True, slots=True)
class Gauge:
    """The error of an output against its limit, on a logarithmic scale.

    Attributes:
        name: The output.
        status: One word.
        css: `good`, `bad` or `doubt`.
        message: What was measured.
        fill: Length of the bar, from 0 to 1; `None` where there is no number.
        limit: Where the limit is, from 0 to 1.
        figures: Further numbers, each a title and a text.
    """

    name: str
    status: str
    css: str
    message: str
    fill: float | None
    limit: float
    figures: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Block:
    """A section of the page.

    Attributes:
        id: Anchor.
        title: Heading.
        kind: `facts`, `table`, `prose`, `certificate`, `gauges`, `graph` or `diagnostics`.
        detail: Whether it starts folded.
        count: Shown beside the heading, empty for none.
        note: A sentence below it.
        columns: Heads of a table.
        rows: Cells of a table.
        facts: Titles and cells.
        text: Running text.
        gauges: Outputs.
        findings: Diagnostics.
        filter: Whether the table gets a field to filter it.
        figure: A picture of the table.
    """

    id: str
    title: str
    kind: str
    detail: bool = False
    count: str = ""
    note: str = ""
    columns: tuple[Column, ...] = ()
    rows: tuple[tuple[Cell, ...], ...] = ()
    facts: tuple[tuple[str, Cell], ...] = ()
    text: Markup | None = None
    gauges: tuple[Gauge, ...] = ()
    findings: tuple[Finding, ...] = ()
    filter: bool = False
    figure: Markup | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """A diagnostic ready to be shown."""

    code: str
    severity: str
    message: Markup
    place: str
    scope: str
    line: int | None
    source: tuple[tuple[int, str], ...]
    nodes: tuple[str, ...]
    notes: tuple[Markup, ...]
    help: Markup | None


@dataclass(frozen=True, slots=True)
class Page:
    """The whole page."""

    title: str
    command: str
    name: str
    format: str
    path: str
    sha256: str
    headline: str
    css: str
    verdict: Markup
    exit_code: int
    tiles: tuple[tuple[str, str], ...]
    blocks: tuple[Block, ...]
    environment: tuple[tuple[str, str], ...]


def page(report: Report) -> Page:
    """Lays out a report: what is wrong comes first, details last."""
    subject, verdict = report.subject, report.verdict
    name = clean(subject.name) or report.command or "edgekit"
    status = str(verdict.status)
    return Page(
        title=f"{name}: {status}",
        command=report.command,
        name=name,
        format=clean(subject.format),
        path=clean(subject.path or ""),
        sha256=clean(subject.sha256 or ""),
        headline=_headline(report),
        css=STATUS_ROLES.get(status, "plain"),
        verdict=markup.inline(clean(verdict.text)),
        exit_code=int(verdict.exit_code),
        tiles=tuple(_tiles(report.results)),
        blocks=tuple(_blocks(report)),
        environment=tuple((clean(k), clean(v)) for k, v in report.environment.items()),
    )


def _headline(report: Report) -> str:
    """Says in two words what the status means for this command."""
    done = "All checks pass" if report.checks else "Done"
    words = {
        VerdictStatus.OK: done,
        VerdictStatus.UNVERIFIED: "Not verified",
        VerdictStatus.FAILED: "Does not hold",
        VerdictStatus.ERROR: "Could not be done",
    }
    return words[report.verdict.status]


def _tiles(sections: Sequence[Section]) -> list[tuple[str, str]]:
    first = next((s for s in sections if isinstance(s, Facts)), None)
    facts = (
        [f for f in first.facts if f.kind in _TILES and isinstance(f.value, (int, float))] if first else []
    )
    return [(f.title, show(f.value, f.kind)) for f in facts[:_MOST_TILES]]


def _blocks(report: Report) -> Iterable[Block]:
    drawn = [s for s in report.results if isinstance(s, Graph)]
    lead = [s for s in report.results if s.id == "targets"] if drawn else []
    for section in (*lead, *drawn):
        yield _block(section)
    if report.diagnostics:
        findings = tuple(_finding(d) for d in report.diagnostics)
        yield Block("diagnostics", "Diagnostics", "diagnostics", count=str(len(findings)), findings=findings)
    sections = sorted((s for s in report.results if s not in (*lead, *drawn)), key=lambda s: s.detail)
    for section in sections:
        if section.id == "verification" and report.checks and isinstance(section, Table):
            gauges = tuple(_gauge(check) for check in report.checks)
            yield Block(
                section.id,
                section.title,
                "gauges",
                count=str(len(gauges)),
                note=clean(section.note),
                gauges=gauges,
                filter=len(gauges) > _FILTER_FROM,
            )
        else:
            yield _block(section)


def _block(section: Section) -> Block:
    match section:
        case Prose():
            kind = "certificate" if section.id == "layout" else "prose"
            return Block(section.id, section.title, kind, section.detail, text=markup.blocks(section.text))
        case Facts():
            facts = tuple((f.title, _cell(f.value, f.kind, None)) for f in section.facts)
            return Block(section.id, section.title, "facts", section.detail, facts=facts)
        case Table():
            return _table(section)
        case Graph():
            return Block(section.id, section.title, "graph", count=str(len(section.nodes)))


def _table(table: Table) -> Block:
    peaks = {c.key: _peak(table, c) for c in table.columns}
    rows = tuple(
        tuple(_cell(row.get(c.key), c.kind, peaks[c.key]) for c in table.columns) for row in table.rows
    )
    return Block(
        table.id,
        table.title,
        "table",
        table.detail,
        count=str(len(rows)),
        note=clean(table.note),
        columns=table.columns,
        rows=rows,
        filter=len(rows) > _FILTER_FROM,
        figure=chart.scatter(table) if table.id == _PICTURED else None,
    )


def _peak(table: Table, column: Column) -> float | None:
    """Returns the largest value of a column whose cells get bars: shares, and counts of ops."""
    if column.kind is not Kind.SHARE and not (column.key == "count" and len(table.rows) > 1):
        return None
    values = [row.get(column.key) for row in table.rows]
    return max((v for v in values if isinstance(v, (int, float))), default=0) or None


def _cell(value: Value, kind: Kind, peak: float | None) -> Cell:
    text = show(value, kind)
    css = [str(kind)]
    if kind in RIGHT:
        css.append("right")
    if kind is Kind.STATUS:
        css.append(STATUS_ROLES.get(text, "plain"))
    if value is None:
        css.append("none")
    items = tuple(clean(str(v)) for v in value) if isinstance(value, (list, tuple)) else ()
    number = value if isinstance(value, (int, float)) and not isinstance(value, bool) else None
    bar = None if peak is None or number is None else max(0.0, min(1.0, number / peak))
    return Cell(text, items, " ".join(css), repr(number) if number is not None else text, bar)


def _gauge(check: Check) -> Gauge:
    measures = dict(check.measures)
    error, limit = measures.get("max_abs"), measures.get("limit")
    css = {CheckStatus.PASS: "good", CheckStatus.FAIL: "bad"}.get(check.status, "doubt")
    shown = (
        ("max error", "max_abs", Kind.REAL),
        ("limit", "limit", Kind.REAL),
        ("of range", "relative", Kind.REAL),
        ("SQNR", "sqnr_db", Kind.DECIBEL),
        ("cosine", "cosine", Kind.COSINE),
    )
    figures = tuple((title, show(measures[key], kind)) for title, key, kind in shown if key in measures)
    return Gauge(
        name=clean(check.name),
        status=str(check.status),
        css=css,
        message=clean(check.message),
        fill=_position(error, limit),
        limit=_DECADES_BELOW / (_DECADES_BELOW + _DECADES_ABOVE),
        figures=figures,
    )


def _position(error: float | None, limit: float | None) -> float | None:
    """Places an error on the scale of 1e-6 to 1e+2 times its limit."""
    if error is None or limit is None:
        return None
    if error == 0:
        return 0.0
    if limit == 0 or not math.isfinite(error):
        return 1.0
    decades = math.log10(error / limit) + _DECADES_BELOW
    return max(0.01, min(1.0, decades / (_DECADES_BELOW + _DECADES_ABOVE)))


def _finding(diagnostic: Diagnostic) -> Finding:
    where = diagnostic.where
    return Finding(
        code=diagnostic.code,
        severity=str(diagnostic.severity),
        message=markup.inline(clean(diagnostic.message)),
        place=snippet.place(where),
        scope=clean(where.scope or ""),
        line=where.line,
        source=snippet.excerpt(where, around=2),
        nodes=tuple(clean(n) for n in where.nodes),
        notes=tuple(markup.inline(clean(n)) for n in diagnostic.notes),
        help=markup.inline(clean(diagnostic.help)) if diagnostic.help else None,
    )


__all__ = ["Block", "Cell", "Fact", "Finding", "Gauge", "Page", "page"]
