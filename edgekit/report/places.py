"""One diagnostic for each place, for formats that show findings at lines of code.

A diagnostic groups all nodes that share a cause. Its data may hold `places`: file, line, scope and nodes of
each. Text shows the group; an annotation belongs to one line.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path, PurePath

from edgekit.diagnostics import Diagnostic, Where
from edgekit.report.model import Report


def below_here(file: str) -> str | None:
    """Returns the path of a file from the working folder, with slashes; `None` if it lies elsewhere."""
    path = PurePath(os.path.abspath(file))  # noqa: PTH100 - `resolve` asks the disk; the name is untrusted
    here = Path.cwd()
    return path.relative_to(here).as_posix() if path.is_relative_to(here) else None


def spread(report: Report) -> Report:
    """Returns the report with each diagnostic once for each of its places."""
    found = tuple(one for d in report.diagnostics for one in _spread(d))
    return replace(report, diagnostics=found)


def _spread(diagnostic: Diagnostic) -> Iterator[Diagnostic]:
    places = diagnostic.data.get("places")
    if not places:
        yield diagnostic
        return
    data = {key: value for key, value in diagnostic.data.items() if key != "places"}
    for place in places:
        where = Where(place["file"], place["line"], tuple(place["nodes"]), place["scope"])
        yield replace(diagnostic, where=where, data=data)
