"""One diagnostic for each place, for formats that show findings at lines of code.

A diagnostic groups all nodes that share a cause. Its data may hold `places`: file, line, scope and nodes of
each. Text shows the group; an annotation belongs to one line.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from edgekit.diagnostics import Diagnostic, Where
from edgekit.report.model import Report


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
