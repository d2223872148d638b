"""The report as GitHub-flavoured Markdown, for pull requests and wikis."""

from __future__ import annotations

import re
from collections.abc import Iterator

from edgekit.diagnostics import Diagnostic
from edgekit.report import snippet
from edgekit.report.model import CheckStatus, Facts, Graph, Prose, Report, Section, Table, VerdictStatus
from edgekit.report.values import RIGHT, clean, drawn, show

_MARKS = {
    VerdictStatus.OK: "✅",
    VerdictStatus.UNVERIFIED: "⚠️",
    VerdictStatus.FAILED: "❌",
    VerdictStatus.ERROR: "❌",
}
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~])")
_LONG = 30


def render(report: Report) -> str:
    """Renders the report; details and long tables are folded, the verdict is the last line."""
    title = escape(f"edgekit {report.command}: {report.subject.name}" if report.subject.name else "edgekit")
    blocks = [f"## {title}"]
    blocks += ["\n".join(_folded(s)) for s in report.results]
    if report.diagnostics:
        blocks.append(
            "### Diagnostics\n\n" + "\n".join(line for d in report.diagnostics for line in _item(d))
        )
    if report.environment:
        versions = ", ".join(f"{name} {version}" for name, version in report.environment.items())
        blocks.append(f"<sub>{escape(versions)}</sub>")
    verdict = report.verdict
    blocks.append(f"{_MARKS[verdict.status]} **{verdict.status}**: {escape(verdict.text)}")
    return "\n\n".join(blocks) + "\n"


def section_text(section: Section) -> str:
    """Returns one section with its heading, unfolded."""
    heading = f"## {escape(section.title)}\n\n" if section.title else ""
    return heading + "\n".join(_content(section)) + "\n"


def escape(text: str) -> str:
    """Returns text that Markdown shows as it is, on one line."""
    return _SPECIAL.sub(r"\\\1", clean(text))


def code(text: str) -> str:
    """Returns text as a code span; one that holds a backtick gets a longer fence."""
    shown = clean(text)
    fence = "`" * (max((len(run) for run in re.findall("`+", shown)), default=0) + 1)
    pad = " " if "`" in shown else ""
    return f"{fence}{pad}{shown}{pad}{fence}"


def _nodes(nodes: tuple[str, ...], limit: int = 6) -> str:
    rest = f" and {len(nodes) - limit} more" if len(nodes) > limit else ""
    return ", ".join(code(n) for n in nodes[:limit]) + rest


def _folded(section: Section) -> Iterator[str]:
    long = isinstance(section, Table) and len(section.rows) > _LONG
    if section.detail or long:
        yield f"<details><summary>{escape(section.title)}</summary>\n"
        yield from _content(section)
        yield "\n</details>"
        return
    if section.title:
        yield f"### {escape(section.title)}\n"
    yield from _content(section)


def _content(section: Section) -> Iterator[str]:
    match section:
        case Prose():
            yield section.text.strip()
        case Facts():
            yield "| | |\n|---|---|"
            for fact in section.facts:
                yield f"| {escape(fact.title)} | {escape(show(fact.value, fact.kind))} |"
        case Table():
            yield from _table(section)
        case Graph():
            yield f"{escape(drawn(section))}"


def _table(table: Table) -> Iterator[str]:
    if table.rows:
        yield "| " + " | ".join(escape(c.title) for c in table.columns) + " |"
        yield "|" + "|".join("---:" if c.kind in RIGHT else "---" for c in table.columns) + "|"
    else:
        yield "none"
    for row in table.rows:
        yield "| " + " | ".join(_mark(show(row.get(c.key), c.kind)) for c in table.columns) + " |"
    if table.note:
        yield f"\n{escape(table.note)}"


def _mark(text: str) -> str:
    marks: dict[str, str] = {CheckStatus.PASS: "✅ pass", CheckStatus.FAIL: "❌ fail"}
    return marks.get(text, escape(text))


def _item(diagnostic: Diagnostic) -> Iterator[str]:
    yield f"- **{diagnostic.severity}[{diagnostic.code}]**: {_message(diagnostic.message)}"
    at = snippet.place(diagnostic.where)
    if at:
        scope = f" in {code(diagnostic.where.scope)}" if diagnostic.where.scope else ""
        yield f"  - at {code(at)}{scope}"
    quoted = snippet.source_line(diagnostic.where)
    if quoted:
        yield f"  - {code(quoted.strip())}"
    if diagnostic.where.nodes:
        yield f"  - nodes: {_nodes(diagnostic.where.nodes)}"
    yield from (f"  - note: {_message(note)}" for note in diagnostic.notes)
    if diagnostic.help:
        yield f"  - help: {_message(diagnostic.help)}"


def _message(text: str) -> str:
    """Escapes a message but for its code spans, which Markdown and we write alike."""
    parts = clean(text).split("`")
    if len(parts) % 2 == 0:
        return escape(text)
    return "`".join(part if i % 2 else escape(part) for i, part in enumerate(parts))
