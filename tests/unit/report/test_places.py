"""A diagnostic of several places becomes one annotation for each."""

from __future__ import annotations

import json

from edgekit.diagnostics import Diagnostic, Severity, Where
from edgekit.report import Report, Subject, Verdict, VerdictStatus
from edgekit.report.formats import render
from edgekit.report.places import spread


def report() -> Report:
    places = [
        {"file": "net.py", "line": line, "scope": f"part.{line}", "nodes": [f"n{line}"]} for line in (3, 7)
    ]
    where = Where("net.py", 3, ("n3", "n7"), "part.3")
    grouped = Diagnostic("EK310", "a message", Severity.WARNING, where, data={"places": places, "ops": ["A"]})
    alone = Diagnostic("EK311", "another", Severity.ERROR, Where("net.py", 9))
    return Report("check", Subject("net"), Verdict(VerdictStatus.OK, "done"), diagnostics=(grouped, alone))


def test_each_place_gets_its_own() -> None:
    found = spread(report()).diagnostics
    assert [(d.where.line, d.where.nodes, d.where.scope) for d in found] == [
        (3, ("n3",), "part.3"),
        (7, ("n7",), "part.7"),
        (9, (), None),
    ]
    assert found[0].data == {"ops": ["A"]}


def test_annotations_are_spread_and_text_is_not() -> None:
    sarif = json.loads(render(report(), "sarif"))
    assert len(sarif["runs"][0]["results"]) == 3
    assert render(report(), "github").count("net.py") == 3
    assert render(report(), "text").count("a message") == 1
