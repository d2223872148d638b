"""`Report`: what a command found out, the same for every format.

The JSON form is `to_dict`; `report.schema.json` beside this file documents it.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from edgekit.diagnostics import Diagnostic, ExitCode

SCHEMA = "edgekit.report/1"
"""Name and version of the JSON form; the number grows when a key is removed or changes meaning."""

Value = str | int | float | bool | Sequence[str] | None
"""What a cell can hold; its meaning is the `Kind` of its column or fact."""


Row = Mapping[str, Value]
"""Values by column key."""


class Kind(enum.StrEnum):
    """The meaning of a value: decides how each format shows it. JSON always holds the bare value."""

    TEXT = "text"
    NAME = "name"
    """An identifier: a node, a tensor, a file, a hash."""
    NAMES = "names"
    """A list of identifiers."""
    COUNT = "count"
    SIZE = "size"
    """Bytes."""
    OPS = "ops"
    """Arithmetic operations, shown with a metric prefix."""
    REAL = "real"
    SHARE = "share"
    """A fraction of 1, shown in percent."""
    DECIBEL = "decibel"
    COSINE = "cosine"
    SECONDS = "seconds"
    STATUS = "status"
    """A `CheckStatus` or another one-word state."""


class CheckStatus(enum.StrEnum):
    """The result of one check."""

    PASS = "pass"
    FAIL = "fail"
    UNCHECKED = "unchecked"


class VerdictStatus(enum.StrEnum):
    """The result of the whole command in one word."""

    OK = "ok"
    UNVERIFIED = "unverified"
    FAILED = "failed"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Subject:
    """What the report is about.

    Attributes:
        name: A short name, such as the model's.
        format: Its format or kind (`ONNX`, `TFLite`), empty where there is none.
        path: The file, as the user gave it.
        sha256: Hash of that file.
        size: Size of that file in bytes.
    """

    name: str
    format: str = ""
    path: str | None = None
    sha256: str | None = None
    size: int | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """The last line of every report.

    Attributes:
        status: One word.
        text: One sentence: lower case, no full stop.
        exit_code: What the command exits with.
    """

    status: VerdictStatus
    text: str
    exit_code: ExitCode = ExitCode.HOLDS


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was checked, or could not be.

    Attributes:
        name: What was checked: an output, a node, a package.
        status: The result.
        message: One sentence that says what was measured, or why nothing was.
        evidence: How strong the claim is: `declared`, `lowered`, `executed`, `on-device`.
        measures: The numbers behind the result, by metric.
    """

    name: str
    status: CheckStatus
    message: str = ""
    evidence: str = ""
    measures: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Fact:
    """One named value."""

    key: str
    title: str
    value: Value
    kind: Kind = Kind.TEXT


@dataclass(frozen=True, slots=True)
class Facts:
    """A list of named values.

    Attributes:
        id: Stable name for machines.
        title: A heading.
        facts: In the order to be shown.
        detail: Whether a reader in a hurry can do without it.
    """

    id: str
    title: str
    facts: tuple[Fact, ...]
    detail: bool = False


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table: the key of its values in the rows, a heading and a meaning."""

    key: str
    title: str
    kind: Kind = Kind.TEXT


@dataclass(frozen=True, slots=True)
class Table:
    """Rows that share their columns.

    Attributes:
        id: Stable name for machines.
        title: A heading.
        columns: In the order to be shown.
        rows: Values by column key.
        note: A sentence below the table, empty for none.
        detail: Whether a reader in a hurry can do without it.
    """

    id: str
    title: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    note: str = ""
    detail: bool = False


@dataclass(frozen=True, slots=True)
class Prose:
    """Running text in Markdown.

    Attributes:
        id: Stable name for machines.
        title: A heading, empty for none.
        text: Markdown.
        detail: Whether a reader in a hurry can do without it.
    """

    id: str
    title: str
    text: str
    detail: bool = False


@dataclass(frozen=True, slots=True)
class GraphNode:
    """A node of a graph that is drawn.

    Attributes:
        name: What it is called.
        label: Its op.
        group: Path of the parts of the model that it lies in, the outermost first.
        states: One word for each key of the graph.
        weight: How much of the work it is; only compared with others.
        note: Further lines for who looks closer.
    """

    name: str
    label: str
    group: tuple[str, ...]
    states: tuple[str, ...]
    weight: float = 0.0
    note: str = ""


@dataclass(frozen=True, slots=True)
class Graph:
    """A graph of nodes with their states.

    Attributes:
        id: Stable name for machines.
        title: A heading.
        keys: What each node has a state of, such as targets.
        nodes: In execution order.
        edges: Positions of the nodes that make and that use a tensor.
        detail: Whether a reader in a hurry can do without it.
    """

    id: str
    title: str
    keys: tuple[str, ...]
    nodes: tuple[GraphNode, ...]
    edges: tuple[tuple[int, int], ...]
    detail: bool = True


Section = Facts | Table | Prose | Graph


@dataclass(frozen=True, slots=True)
class Report:
    """What a command found out.

    Attributes:
        command: Name of the command.
        subject: What it is about.
        verdict: The result in one line.
        results: What was found, in the order to be shown.
        checks: What was checked; empty for a command that checks nothing.
        diagnostics: Errors, warnings and notes.
        environment: Versions of everything that took part, by name.
        schema: Name and version of the JSON form.
    """

    command: str
    subject: Subject
    verdict: Verdict
    results: tuple[Section, ...] = ()
    checks: tuple[Check, ...] = ()
    diagnostics: tuple[Diagnostic, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    schema: str = SCHEMA

    def section(self, id: str) -> Section | None:
        """Returns the section with this id, or `None`."""
        return next((s for s in self.results if s.id == id), None)

    def to_dict(self) -> dict[str, Any]:
        """Returns the JSON form; numbers that JSON cannot hold become `nan`, `inf` or `-inf`."""
        subject, verdict = self.subject, self.verdict
        document = {
            "schema": self.schema,
            "command": self.command,
            "subject": {
                "name": subject.name,
                "format": subject.format,
                "path": subject.path,
                "sha256": subject.sha256,
                "size": subject.size,
            },
            "verdict": {
                "status": verdict.status,
                "text": verdict.text,
                "exit_code": int(verdict.exit_code),
            },
            "results": [_section_dict(s) for s in self.results],
            "checks": [_check_dict(c) for c in self.checks],
            "diagnostics": [d.to_dict() for d in self.diagnostics],
            "environment": self.environment,
        }
        plain_document: dict[str, Any] = plain(document)
        return plain_document


def _section_dict(section: Section) -> dict[str, Any]:
    head = {"id": section.id, "title": section.title, "detail": section.detail}
    if isinstance(section, Prose):
        return {**head, "type": "prose", "text": section.text}
    if isinstance(section, Facts):
        facts = [{"key": f.key, "title": f.title, "value": f.value, "kind": f.kind} for f in section.facts]
        return {**head, "type": "facts", "facts": facts}
    if isinstance(section, Graph):
        nodes = [
            {
                "name": n.name,
                "label": n.label,
                "group": n.group,
                "states": n.states,
                "weight": n.weight,
                "note": n.note,
            }
            for n in section.nodes
        ]
        return {**head, "type": "graph", "keys": section.keys, "nodes": nodes, "edges": section.edges}
    columns = [{"key": c.key, "title": c.title, "kind": c.kind} for c in section.columns]
    rows = [{c.key: row.get(c.key) for c in section.columns} for row in section.rows]
    return {**head, "type": "table", "columns": columns, "rows": rows, "note": section.note}


def _check_dict(check: Check) -> dict[str, Any]:
    return {
        "name": check.name,
        "status": check.status,
        "message": check.message,
        "evidence": check.evidence,
        "measures": check.measures,
    }


def plain(value: Any) -> Any:
    """Returns a value with JSON types only.

    Numpy scalars become numbers, a number that JSON cannot hold becomes its name, and what is not valid
    Unicode (a file name need not be) becomes an escape.
    """
    if isinstance(value, Mapping):
        return {plain(str(k)): plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(v) for v in value]
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode("utf-8")
    if isinstance(value, (bool, int)) or value is None:
        return value
    if hasattr(value, "item"):  # a numpy scalar; numpy itself is not imported for this
        return plain(value.item())
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    return plain(str(value))
