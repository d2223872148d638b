"""The report as text for a terminal or a log, safe at any width."""

from __future__ import annotations

import itertools
import textwrap
from collections.abc import Iterator, Sequence

from edgekit.report import snippet
from edgekit.report.model import Column, Facts, Graph, Kind, Prose, Report, Section, Table, Verdict
from edgekit.report.paint import STATUS_ROLES, Paint, plain_paint
from edgekit.report.values import RIGHT, clean, drawn, show
from edgekit.report.wrap import wrap

MAX_ROWS = 60
"""Longer tables are cut here, unless everything was asked for."""

_GAP = "  "
_ELLIPSIS = "..."
_NARROWEST = 8


def render(report: Report) -> str:
    """Renders everything, diagnostics included, as for a file."""
    parts = [body(report)] if report.results else []
    parts += [snippet.render(d) for d in report.diagnostics]
    return "\n\n".join([*parts, verdict_line(report.verdict)]) + "\n"


def body(report: Report, *, width: int = 80, paint: Paint = plain_paint, everything: bool = False) -> str:
    """Renders the sections.

    Args:
        report: What to render.
        width: Columns to stay within.
        paint: Colours.
        everything: Also sections that are details, and all rows of long tables.

    Returns:
        Lines without a final line break.
    """
    shown = [s for s in report.results if everything or not s.detail]
    return "\n\n".join("\n".join(_section(s, width, paint, everything)) for s in shown)


def verdict_line(verdict: Verdict, paint: Paint = plain_paint) -> str:
    """Returns the one line that says how it went."""
    status = str(verdict.status)
    return f"{paint(status, STATUS_ROLES.get(status, 'strong'))}: {clean(verdict.text)}"


def _section(section: Section, width: int, paint: Paint, everything: bool) -> Iterator[str]:
    if section.title:
        yield paint(clean(section.title), "title")
    match section:
        case Prose():
            yield from _trimmed(_prose(section.text, width, _GAP if section.title else "", paint))
        case Facts():
            yield from _facts(section, width, paint)
        case Table():
            yield from _table(section, width, paint, everything)
        case Graph():
            yield from wrap(drawn(section), width, first=_GAP, rest=_GAP)


def _prose(text: str, width: int, indent: str, paint: Paint) -> Iterator[str]:
    """Wraps paragraphs and sets headings; code keeps its lines, lists their items."""
    fenced = False
    paragraph: list[str] = []
    for line in [*text.strip().split("\n"), ""]:
        code = fenced or line.startswith("    ")
        if paragraph and (not line.strip() or line.startswith(("```", "#", "- ", "* ")) or code):
            yield from _paragraph(" ".join(paragraph), width, indent)
            paragraph = []
        if line.startswith("```"):
            fenced = not fenced
        elif code:
            yield (indent * 2 + clean(line)).rstrip()
        elif line.startswith("#"):
            yield indent + paint(clean(line.lstrip("# ")), "title")
        elif line.strip():
            paragraph.append(clean(line.strip()))
        else:
            yield ""


def _trimmed(lines: Iterator[str]) -> list[str]:
    """Drops empty lines at the end, and those that follow another."""
    kept: list[str] = []
    for line in lines:
        if line or (kept and kept[-1]):
            kept.append(line)
    return kept[:-1] if kept and not kept[-1] else kept


def _paragraph(text: str, width: int, indent: str) -> list[str]:
    return wrap(text, width, first=indent, rest=indent + "  " if text.startswith(("- ", "* ")) else indent)


def _facts(section: Facts, width: int, paint: Paint) -> Iterator[str]:
    label = max((len(f.title) for f in section.facts), default=0)
    for fact in section.facts:
        room = width - len(_GAP) * 2 - label
        first, *rest = wrap(show(fact.value, fact.kind), room)
        yield f"{_GAP}{paint(fact.title.ljust(label), 'faint')}{_GAP}{_painted(first, fact.kind, paint)}"
        yield from (" " * (len(_GAP) * 2 + label) + line for line in rest)


def _fold(text: str, room: int) -> list[str]:
    lines = textwrap.wrap(text, room, break_long_words=True, break_on_hyphens=False)
    return lines or [""]


def _table(table: Table, width: int, paint: Paint, everything: bool) -> Iterator[str]:
    rows = table.rows if everything else table.rows[:MAX_ROWS]
    cells = [[show(row.get(c.key), c.kind) for c in table.columns] for row in rows]
    widths = _fit(table.columns, cells, width)
    if widths is None:
        yield from _stacked(table.columns, cells, width, paint)
    else:
        cut = frozenset() if everything else frozenset({Kind.NAME})
        yield from _grid(table.columns, cells, widths, paint, cut)
    if len(table.rows) > len(rows):
        yield paint(f"{_GAP}{_ELLIPSIS} {len(table.rows) - len(rows)} more, shown with -v", "faint")
    if not table.rows:
        yield f"{_GAP}none"
    if table.note:
        yield from wrap(clean(table.note), width, first=_GAP, rest=_GAP)


def _fit(columns: Sequence[Column], cells: Sequence[Sequence[str]], width: int) -> list[int] | None:
    """Returns widths that fit the line, or `None`: only texts and names give way, never a number."""
    widths = [max([len(c.title), *(len(row[i]) for row in cells)]) for i, c in enumerate(columns)]
    excess = sum(widths) + len(_GAP) * len(columns) - width
    while excess > 0:
        flexible = [i for i, c in enumerate(columns) if c.kind in _FLEXIBLE]
        if not flexible:
            return None
        widest = max(flexible, key=lambda i: widths[i])
        floor = max(_NARROWEST, len(columns[widest].title))
        give = min(excess, widths[widest] - floor, max(1, excess // len(flexible)))
        if give <= 0:
            return None
        widths[widest] -= give
        excess -= give
    return widths


_FLEXIBLE = frozenset({Kind.TEXT, Kind.NAME, Kind.NAMES})


def _grid(
    columns: Sequence[Column],
    cells: Sequence[Sequence[str]],
    widths: Sequence[int],
    paint: Paint,
    cut: frozenset[Kind],
) -> Iterator[str]:
    """One row after the other; what does not fit is cut for kinds in `cut`, else goes on below."""
    if cells:
        titles = (_align(c.title, w, c.kind) for c, w in zip(columns, widths, strict=True))
        yield _GAP + paint(_GAP.join(titles).rstrip(), "faint")
    for row in cells:
        parts = [
            [shorten(text, w)] if c.kind in cut else _fold(text, w)
            for text, c, w in zip(row, columns, widths, strict=True)
        ]
        for line in itertools.zip_longest(*parts, fillvalue=""):
            fields = (
                _painted(_align(text, w, c.kind), c.kind, paint)
                for text, c, w in zip(line, columns, widths, strict=True)
            )
            yield (_GAP + _GAP.join(fields)).rstrip()


def _stacked(
    columns: Sequence[Column], cells: Sequence[Sequence[str]], width: int, paint: Paint
) -> Iterator[str]:
    """One line per value, for terminals that are too narrow for the table."""
    label = max(len(c.title) for c in columns)
    for number, row in enumerate(cells):
        if number:
            yield ""
        for column, text in zip(columns, row, strict=True):
            first, *rest = _fold(text, max(width - label - 2 * len(_GAP), _NARROWEST))
            title = paint(column.title.ljust(label), "faint")
            yield f"{_GAP}{title}{_GAP}{_painted(first, column.kind, paint)}"
            yield from (" " * (label + 2 * len(_GAP)) + line for line in rest)


def _align(text: str, width: int, kind: Kind) -> str:
    return text.rjust(width) if kind in RIGHT else text.ljust(width)


def _painted(text: str, kind: Kind, paint: Paint) -> str:
    role = STATUS_ROLES.get(text.strip()) if kind is Kind.STATUS else None
    return paint(text, role) if role else text


def shorten(text: str, width: int) -> str:
    """Returns text of at most `width` characters; the middle goes, since names differ at their ends."""
    if len(text) <= width:
        return text
    room = width - len(_ELLIPSIS)
    head = room // 3
    return text[:head] + _ELLIPSIS + text[len(text) - (room - head) :]
