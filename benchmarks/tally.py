"""Counts of what a vendor's compiler and a target's table say, as Markdown."""

from __future__ import annotations

from dataclasses import dataclass, field

from edgekit.compat.agreement import Compared, Confusion
from edgekit.compat.oracle import CPU


@dataclass
class Tally:
    """The counts of one set of files on one target, and the ops that differ."""

    tool: str
    title: str
    files: int = 0
    confusion: Confusion = field(default_factory=Confusion)
    differing: list[str] = field(default_factory=list)

    def table(self, id_: str) -> str:
        """Returns the counts as Markdown."""
        found, ours = self.confusion, ("npu", "cpu", "unknown")
        cells = {t: [str(found.counts[t, o]) for o in ours] for t in ("npu", "cpu")}
        rows = [f"| {told} | {' | '.join(row)} |" for told, row in cells.items()]
        refused = ", ".join(f"{n} {code} ({unit})" for (code, unit), n in sorted(found.refused.items()))
        lines = [
            f"### {id_}: {self.title}",
            "",
            f"{self.files} files, {found.total} ops compared: **{found.agreement:.2%}** agree, "
            f"{found.overclaimed:.2%} called supported where {self.tool} uses the CPU. "
            f"Refused: {refused or 'none'}.",
            "",
            f"| {self.tool} | ours npu | ours cpu | ours unknown |",
            "|---|---|---|---|",
            *rows,
        ]
        differing = [f"- {line}" for line in self.differing]
        return "\n".join([*lines, *(["", "Differing:", "", *differing] if differing else []), ""])


def line(name: str, op: Compared) -> str:
    reasons = "; ".join(f"{r.rule}: {r.got}" for r in op.judged.verdict.reasons)
    why = op.told.reason if op.told.unit == CPU else reasons
    return f"`{name}`: {op.told.op} on {op.told.unit}, ours {op.unit} ({why})"
