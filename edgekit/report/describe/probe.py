"""What probing a vendor's compiler found out, as a report."""

from __future__ import annotations

from collections.abc import Sequence

from edgekit.compat.probe import Limit, Probe
from edgekit.compat.proposal import evidence, proposed
from edgekit.diagnostics import ExitCode
from edgekit.report.model import (
    Check,
    CheckStatus,
    Column,
    Kind,
    Report,
    Row,
    Section,
    Subject,
    Table,
    Verdict,
    VerdictStatus,
)
from edgekit.target import Target

_COLUMNS = (
    Column("knob", "knob", Kind.NAME),
    Column("taken", "taken"),
    Column("refused", "not taken"),
    Column("limit", "limit", Kind.COUNT),
    Column("table", "table", Kind.STATUS),
)

Found = Sequence[tuple[Probe, Sequence[Limit]]]


def report(target: Target, tool: str, found: Found) -> Report:
    """Returns the report of a probe.

    Args:
        target: The target whose table was compared.
        tool: Name of the tool that was asked.
        found: The probes with their limits.
    """
    sections: list[Section] = []
    for probe, limits in found:
        rows, title = tuple(map(_row, limits)), f"{probe.op} on {target.id}"
        sections.append(Table(f"limits-{probe.op}", title, _COLUMNS, rows))
        sections.append(_rules(probe, limits, tool))
    checks = tuple(_check(limit) for _, limits in found for limit in limits)
    return Report(
        "target probe", Subject(target.id, path=None), _verdict(target, tool, found), tuple(sections), checks
    )


def _rules(probe: Probe, limits: Sequence[Limit], tool: str) -> Table:
    columns = (Column("rule", "rule", Kind.NAME), Column("evidence", "evidence"))
    found = [rule for limit in limits if (rule := proposed(limit)) is not None]
    rows: tuple[Row, ...] = tuple({"rule": rule, "evidence": why} for rule, why in found)
    note = f"what {tool} {probe.version} does with one knob turned; other limits may depend on several"
    return Table(f"rules-{probe.op}", f"Rules proposed for {probe.op}", columns, rows, note)


def _row(limit: Limit) -> Row:
    return {
        "knob": limit.knob,
        "taken": _few(limit.taken),
        "refused": _few([a.value for a in limit.refused]),
        "limit": limit.highest,
        "table": "disagrees" if limit.disagreeing else "agrees",
    }


def _few(values: Sequence[object]) -> str:
    texts = list(dict.fromkeys(map(str, values)))
    return ", ".join(texts) if len(texts) <= 5 else f"{texts[0]} … {texts[-1]}"


def _check(limit: Limit) -> Check:
    wrong = [f"{a.value}: table says {a.table}" for a in limit.disagreeing]
    status = CheckStatus.FAIL if wrong else CheckStatus.PASS
    return Check(f"{limit.op} {limit.knob}", status, "; ".join(wrong) or evidence(limit), "executed")


def _verdict(target: Target, tool: str, found: Found) -> Verdict:
    asked = sum(probe.asked for probe, _ in found)
    wrong = sum(bool(limit.disagreeing) for _, limits in found for limit in limits)
    text = f"`{tool}` was asked about {asked} models; "
    if wrong:
        text += f"the table of `{target.id}` disagrees on {wrong} knob{'' if wrong == 1 else 's'}"
        return Verdict(VerdictStatus.FAILED, text, ExitCode.DOES_NOT_HOLD)
    return Verdict(VerdictStatus.OK, f"{text}the table of `{target.id}` agrees on all")
