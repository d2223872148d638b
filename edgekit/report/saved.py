"""Reads a report back from its JSON form."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from edgekit.diagnostics import Diagnostic, ExitCode, Severity, Where
from edgekit.report.model import (
    SCHEMA,
    Check,
    CheckStatus,
    Column,
    Fact,
    Facts,
    Graph,
    GraphNode,
    Kind,
    Prose,
    Report,
    Section,
    Subject,
    Table,
    Verdict,
    VerdictStatus,
)

_T = TypeVar("_T")


def from_dict(document: Any) -> Report:
    """Builds a report from what `Report.to_dict` returned.

    Args:
        document: The JSON document.

    Raises:
        ValueError: If it is not a report of this version; says what is wrong.
    """
    if not isinstance(document, Mapping) or document.get("schema") != SCHEMA:
        found = document.get("schema") if isinstance(document, Mapping) else None
        raise ValueError(f"its schema is `{found}`, not `{SCHEMA}`")
    try:
        return _report(document)
    except KeyError as failure:
        raise ValueError(f"the key {failure} is missing") from failure
    except (TypeError, AttributeError) as failure:
        raise ValueError("a value has the wrong type") from failure


def _report(document: Mapping[str, Any]) -> Report:
    verdict = document["verdict"]
    return Report(
        command=str(document["command"]),
        subject=Subject(**document["subject"]),
        verdict=Verdict(
            VerdictStatus(verdict["status"]), str(verdict["text"]), ExitCode(verdict["exit_code"])
        ),
        results=_each(_section, document["results"]),
        checks=_each(_check, document["checks"]),
        diagnostics=_each(diagnostic_from_dict, document["diagnostics"]),
        environment={str(k): str(v) for k, v in document["environment"].items()},
    )


def _each(build: Callable[[Mapping[str, Any]], _T], documents: Sequence[Mapping[str, Any]]) -> tuple[_T, ...]:
    return tuple(build(d) for d in documents)


def _section(document: Mapping[str, Any]) -> Section:
    kind = document["type"]
    if kind not in _SECTIONS:
        raise ValueError(f"there is no section of type `{kind}`")
    return _SECTIONS[kind](document)


def _prose(document: Mapping[str, Any]) -> Section:
    return Prose(document["id"], document["title"], str(document["text"]), document["detail"])


def _facts(document: Mapping[str, Any]) -> Section:
    facts = (Fact(f["key"], f["title"], f["value"], Kind(f["kind"])) for f in document["facts"])
    return Facts(document["id"], document["title"], tuple(facts), document["detail"])


def _table(document: Mapping[str, Any]) -> Section:
    return Table(
        document["id"],
        document["title"],
        tuple(Column(c["key"], c["title"], Kind(c["kind"])) for c in document["columns"]),
        tuple(dict(row) for row in document["rows"]),
        document["note"],
        document["detail"],
    )


def _graph(document: Mapping[str, Any]) -> Section:
    nodes = (
        GraphNode(n["name"], n["label"], tuple(n["group"]), tuple(n["states"]), n["weight"], n["note"])
        for n in document["nodes"]
    )
    edges = tuple((int(a), int(b)) for a, b in document["edges"])
    return Graph(
        document["id"],
        document["title"],
        tuple(document["keys"]),
        tuple(nodes),
        edges,
        document["detail"],
    )


_SECTIONS: dict[str, Callable[[Mapping[str, Any]], Section]] = {
    "prose": _prose,
    "facts": _facts,
    "graph": _graph,
    "table": _table,
}


def _check(document: Mapping[str, Any]) -> Check:
    measures = {name: float(value) for name, value in document["measures"].items()}
    status = CheckStatus(document["status"])
    return Check(document["name"], status, document["message"], document["evidence"], measures)


def diagnostic_from_dict(document: Mapping[str, Any]) -> Diagnostic:
    """Builds a diagnostic from what `Diagnostic.to_dict` returned."""
    where = document["where"]
    return Diagnostic(
        document["code"],
        document["message"],
        Severity(document["severity"]),
        Where(where["file"], where["line"], tuple(where["nodes"]), where["scope"]),
        tuple(document["notes"]),
        document["help"],
        document["data"],
    )
