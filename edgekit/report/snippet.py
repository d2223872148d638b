"""A diagnostic as text, in the manner of the Rust compiler: message, place, source line, notes, help."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from pathlib import Path

from edgekit.diagnostics import Diagnostic, Where
from edgekit.report.paint import Paint, plain_paint
from edgekit.report.values import clean
from edgekit.report.wrap import wrap

_CODE = frozenset({".py"})
_CONFIGURATION = frozenset({".toml", ".yaml", ".yml"})
_MAX_NODES = 6
_LONGEST_LINE = 200


def source_line(where: Where) -> str | None:
    """Returns the line that a diagnostic points at, or `None` when it cannot be shown."""
    return dict(excerpt(where)).get(where.line or 0)


def excerpt(where: Where, around: int = 0) -> tuple[tuple[int, str], ...]:
    """Returns the line that a diagnostic points at with its number, and lines around it.

    A model file names its own source files, and a report may be published: for a node only Python code is
    quoted, never any other file that the model happens to name.
    """
    quotable = _CODE if where.nodes or where.scope else _CODE | _CONFIGURATION
    if where.file is None or where.line is None or Path(where.file).suffix not in quotable:
        return ()
    first, last = max(1, where.line - around), where.line + around
    try:
        with Path(where.file).open(encoding="utf-8") as lines:
            wanted = list(itertools.islice(lines, first - 1, last))
    except (OSError, UnicodeDecodeError):
        return ()  # the place is named all the same; only the quotation is missing
    return tuple((first + i, clean(line.rstrip().expandtabs(4))) for i, line in enumerate(wanted))


def place(where: Where) -> str:
    """Returns `file:line`, as far as it is known; empty when nothing is."""
    if where.file is None:
        return ""
    file = clean(where.file)
    return file if where.line is None else f"{file}:{where.line}"


def nodes_text(nodes: tuple[str, ...], limit: int = _MAX_NODES) -> str:
    """Returns the names of nodes in backticks, the rest of a long list as a number."""
    shown = ", ".join(f"`{clean(n)}`" for n in nodes[:limit])
    rest = len(nodes) - limit
    return f"{shown} and {rest} more" if rest > 0 else shown


def render(diagnostic: Diagnostic, *, width: int = 80, paint: Paint = plain_paint) -> str:
    """Renders one diagnostic.

    Args:
        diagnostic: What to render.
        width: Columns to stay within; names longer than that are not broken.
        paint: Colours.

    Returns:
        Lines without a final line break.
    """
    where = diagnostic.where
    head = f"{diagnostic.severity}[{diagnostic.code}]"
    message = wrap(f"{head}: {clean(diagnostic.message)}", width, rest="  ")
    lines = [paint(head, str(diagnostic.severity)) + paint(message[0][len(head) :], "strong")]
    lines += [paint(line, "strong") for line in message[1:]]
    quoted = source_line(where)
    number = str(where.line) if quoted is not None else ""
    margin = " " * max(len(number), 2)
    at = place(where)
    scope = f"`{clean(where.scope)}`" if where.scope else ""
    if at or scope:
        lines.append(f"{margin}{paint('-->', 'frame')} {' in '.join(part for part in (at, scope) if part)}")
    if quoted is not None:
        bar = paint("|", "frame")
        code = quoted if len(quoted) <= _LONGEST_LINE else f"{quoted[:_LONGEST_LINE]} ..."
        lines += [
            f"{margin} {bar}",
            f"{paint(number.rjust(len(margin)), 'frame')} {bar} {code}",
            f"{margin} {bar}",
        ]
    for label, text in _remarks(diagnostic):
        role = "help" if label == "help" else "note"
        first, *rest = wrap(f"{label}: {text}", width - len(margin) - 3, rest=" " * (len(label) + 2))
        lines.append(f"{margin} {paint('=', 'frame')} {paint(label, role)}{first[len(label) :]}")
        lines += [f"{margin}   {line}" for line in rest]
    return "\n".join(lines)


def _remarks(diagnostic: Diagnostic) -> Iterable[tuple[str, str]]:
    nodes = diagnostic.where.nodes
    if nodes:
        yield ("node" if len(nodes) == 1 else "nodes"), nodes_text(nodes)
    for note in diagnostic.notes:
        yield "note", clean(note)
    if diagnostic.help:
        yield "help", clean(diagnostic.help)
