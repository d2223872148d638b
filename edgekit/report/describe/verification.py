"""The verdict on an artifact as sections, checks and a verdict line."""

from __future__ import annotations

from edgekit.artifact import Delta, Divergence, Status, Verification
from edgekit.artifact import Verdict as Known
from edgekit.diagnostics import ExitCode
from edgekit.report.describe import layers
from edgekit.report.model import (
    Check,
    CheckStatus,
    Column,
    Fact,
    Facts,
    Kind,
    Row,
    Section,
    Table,
    Verdict,
    VerdictStatus,
)
from edgekit.report.values import show

_COLUMNS = (
    Column("output", "output", Kind.NAME),
    Column("status", "verdict", Kind.STATUS),
    Column("max_abs", "max error", Kind.REAL),
    Column("limit", "limit", Kind.REAL),
    Column("relative", "of range", Kind.REAL),
    Column("sqnr_db", "SQNR", Kind.DECIBEL),
    Column("cosine", "cosine", Kind.COSINE),
)


def sections(verification: Verification) -> tuple[Section, ...]:
    """Returns the table of outputs, and where they exist the first node that differs and the layers."""
    parts: list[Section] = [_table(verification)]
    if verification.first_divergence is not None:
        parts.append(_divergence(verification.first_divergence))
    parts += layers.sections(verification.layers)
    return tuple(parts)


def checks(verification: Verification) -> tuple[Check, ...]:
    """Returns one check for each output; one that is not checked if nothing was compared."""
    evidence = str(verification.evidence)
    if not verification.deltas:
        reason = verification.reason or "nothing was compared"
        return (Check("verification", CheckStatus.UNCHECKED, reason, evidence),)
    return tuple(_check(delta, evidence) for delta in verification.deltas)


def verdict(verification: Verification, name: str, *, wanted: bool = True) -> Verdict:
    """Returns the verdict line.

    Args:
        verification: The verdict on the artifact.
        name: What the artifact is called in the line.
        wanted: Whether verification was asked for; if so, an artifact that could not be verified is not
            what the user wanted (exit 5).
    """
    deltas = verification.deltas
    agree = sum(d.status.holds for d in deltas)
    if verification.verdict is Known.VERIFIED:
        text = f"`{name}` is verified, {agree} of {len(deltas)} outputs agree{_worst(verification)}"
        return Verdict(VerdictStatus.OK, text)
    if verification.verdict is Known.MISMATCH:
        bad = len(deltas) - agree
        at = _first_node(verification.first_divergence)
        text = f"`{name}` differs from its source in {bad} of {len(deltas)} outputs{at}"
        return Verdict(VerdictStatus.FAILED, text, ExitCode.DOES_NOT_HOLD)
    reason = f": {verification.reason}" if verification.reason else ""
    code = ExitCode.NOTHING_CHECKED if wanted else ExitCode.HOLDS
    return Verdict(VerdictStatus.UNVERIFIED, f"`{name}` is not verified{reason}", code)


def _table(verification: Verification) -> Table:
    rows: list[Row] = [
        {
            "output": d.tensor,
            "status": str(d.status),
            "max_abs": d.max_abs,
            "limit": d.limit,
            "relative": d.relative,
            "sqnr_db": d.sqnr_db,
            "cosine": d.cosine,
        }
        for d in verification.deltas
    ]
    title = "Outputs compared with the source"
    return Table("verification", title, _COLUMNS, tuple(rows), _basis(verification))


def _basis(verification: Verification) -> str:
    """Says what the verdict rests on."""
    v = verification
    parts = [f"evidence: {v.evidence}"]
    if v.samples:
        seed = f", seed {v.seed}" if v.seed is not None and v.inputs == "generated" else ""
        parts.append(f"{v.samples} {v.inputs or ''} samples{seed}".replace("  ", " "))
    parts += [f"{role} on {name}" for role, name in (("source", v.oracle), ("artifact", v.runner)) if name]
    return "; ".join([*parts, *v.notes])


def _check(delta: Delta, evidence: str) -> Check:
    numbers = {
        "max_abs": delta.max_abs,
        "limit": delta.limit,
        "relative": delta.relative,
        "sqnr_db": delta.sqnr_db,
        "cosine": delta.cosine,
        "elements": delta.elements,
        "mismatching": delta.mismatching,
    }
    measures = {name: value for name, value in numbers.items() if value is not None}
    return Check(delta.tensor, _status(delta.status), _message(delta), evidence, measures)


def _status(status: Status) -> CheckStatus:
    if status.holds:
        return CheckStatus.PASS
    # An output that the runtime does not show is a failure, never a skip; a random one has no truth.
    return CheckStatus.UNCHECKED if status is Status.NOT_COMPARABLE else CheckStatus.FAIL


def _message(delta: Delta) -> str:
    if delta.max_abs is None or delta.limit is None:
        return delta.reason or str(delta.status)
    measured = f"max error {show(delta.max_abs, Kind.REAL)}, limit {show(delta.limit, Kind.REAL)}"
    return f"{measured}: {delta.reason}" if delta.reason else measured


def _divergence(first: Divergence) -> Facts:
    origin, delta = first.origin, first.delta
    place = f"{origin.file}:{origin.line}" if origin.file else None
    index = None if delta.worst_index is None else str(list(delta.worst_index))
    facts = (
        Fact("nodes", "node", list(origin.nodes) or None, Kind.NAMES),
        Fact("op", "op", first.op_type, Kind.NAME),
        Fact("scope", "scope", origin.scope, Kind.NAME),
        Fact("at", "at", place, Kind.NAME),
        Fact("tensor", "tensor", first.tensor, Kind.NAME),
        Fact("max_abs", "max error", delta.max_abs, Kind.REAL),
        Fact("limit", "limit", delta.limit, Kind.REAL),
        Fact("sqnr_db", "SQNR", delta.sqnr_db, Kind.DECIBEL),
        Fact("worst_index", "worst at", index),
        Fact("unobserved", "not observed", list(first.unobserved) or None, Kind.NAMES),
    )
    return Facts("divergence", "First node that differs", tuple(f for f in facts if f.value is not None))


def _first_node(first: Divergence | None) -> str:
    if first is None:
        return ""
    name = first.origin.nodes[0] if first.origin.nodes else first.tensor
    return f", first at `{name}` ({first.op_type})"


def _worst(verification: Verification) -> str:
    relative = [d.relative for d in verification.deltas if d.relative is not None]
    return f", max error {show(max(relative), Kind.REAL)} of the range" if relative else ""
