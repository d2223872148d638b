"""Waivers: what a team accepts for the time being, each with a reason and a day on which it ends.

[[waiver]]
target = "ethos-u55-*"
node = "head.*"
rule = "dtype-in"
reason = "the head runs on the CPU until it is retrained"
expires = 2026-12-31
"""

from __future__ import annotations

import datetime
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from edgekit.compat.finding import JudgedNode
from edgekit.diagnostics import Diagnostic, EdgekitError, Where, error

_KEYS = ("target", "node", "rule", "op", "reason", "expires")


@dataclass(frozen=True, slots=True)
class Waiver:
    """One accepted finding.

    Attributes:
        reason: Why.
        expires: The last day on which it holds.
        target: Glob over ids of targets.
        node: Glob over names of nodes and over scopes.
        rule: Glob over names of rules; all reasons of a node must match.
        op: Glob over names of emitted ops.
        where: The file.
    """

    reason: str
    expires: datetime.date
    target: str = "*"
    node: str = "*"
    rule: str = "*"
    op: str = "*"
    where: Where = field(default_factory=Where)

    def covers(self, target: str, node: JudgedNode) -> bool:
        """Tells whether it speaks of a node on a target."""
        names = (node.name, node.origin.scope or node.name)
        rules = [r.rule for r in node.reasons]
        ops = [op.emitted.op for op in node.ops if op.verdict.reasons]
        return (
            fnmatchcase(target, self.target)
            and any(fnmatchcase(name, self.node) for name in names)
            and all(fnmatchcase(rule, self.rule) for rule in rules)
            and (self.op == "*" or all(fnmatchcase(op, self.op) for op in ops))
        )


def read_waivers(path: Path) -> tuple[Waiver, ...]:
    """Reads a file of waivers.

    Raises:
        EdgekitError: EK101 if it cannot be opened, EK209 with every mistake in it.
    """
    where = Where(str(path))
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as failure:
        reason = (failure.strerror or str(failure)).lower()
        raise error("EK101", f"`{path}` cannot be opened: {reason}", where=where) from failure
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as failure:
        raise error("EK209", f"`{path}` is not valid TOML: {failure}", where=where) from failure
    entries = table.get("waiver", [])
    unknown = sorted(set(table) - {"waiver"})
    problems = [
        Diagnostic("EK209", f"there is no table `{name}`; write `[[waiver]]`", where=where)
        for name in unknown
    ]
    if not isinstance(entries, list):
        raise error("EK209", "`waiver` is a list of tables: write `[[waiver]]`", where=where)
    found: list[Waiver] = []
    for number, entry in enumerate(entries, start=1):
        mistakes = _mistakes(entry)
        problems += [Diagnostic("EK209", f"waiver {number} {m}", where=where) for m in mistakes]
        if not mistakes:
            found.append(Waiver(**entry, where=where))
    if problems:
        raise EdgekitError(*problems)
    return tuple(found)


def _mistakes(entry: Any) -> list[str]:
    if not isinstance(entry, dict):
        return ["is not a table"]
    mistakes = [f"has an unknown key `{key}`" for key in entry if key not in _KEYS]
    mistakes += [f"`{k}` is not text" for k in _KEYS[:5] if k in entry and not isinstance(entry[k], str)]
    if not str(entry.get("reason", "")).strip():
        mistakes.append("gives no `reason`")
    if type(entry.get("expires")) is not datetime.date:
        mistakes.append("has no date `expires`, such as `expires = 2026-12-31`")
    return mistakes


def waiver_for(
    waivers: Sequence[Waiver], target: str, node: JudgedNode, today: datetime.date
) -> Waiver | None:
    """Returns the first waiver that covers a node and has not expired."""
    return next((w for w in waivers if today <= w.expires and w.covers(target, node)), None)
