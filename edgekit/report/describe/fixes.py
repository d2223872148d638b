"""What rewriting a model for a target gave, as a section of a report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from edgekit.compat.advice import Claim
from edgekit.consistency.proof import Proof
from edgekit.diagnostics import Diagnostic, ExitCode, Severity
from edgekit.report.model import Check, CheckStatus, Column, Kind, Report, Row, Table, Verdict, VerdictStatus
from edgekit.report.values import show


def added(report: Report, proofs: Sequence[Proof], path: Path | None) -> Report:
    """Returns the report of the rewritten model with what was rewritten.

    Args:
        report: The report of the rewritten model.
        proofs: The rewrites that were kept, proved.
        path: Where the model was written, if it was.
    """
    note = f"written to {path}" if path is not None else "`--fixed-model FILE` writes the model"
    if not proofs:
        note = "no rewrite brings more of the model onto the accelerator"
    failed = [p for p in proofs if not p.holds]
    verdict = report.verdict
    if failed:
        text = f"{len(failed)} of {len(proofs)} fixes do not hold what they claim; {verdict.text}"
        verdict = Verdict(VerdictStatus.FAILED, text, ExitCode.DOES_NOT_HOLD)
    return replace(
        report,
        verdict=verdict,
        results=(*report.results[:2], table(proofs, note), *report.results[2:]),
        checks=(*report.checks, *checks(proofs)),
        diagnostics=(*report.diagnostics, *diagnostics(proofs)),
    )


def table(proofs: Sequence[Proof], note: str) -> Table:
    """One row for each rewrite: what it did, what it claims, and what running both models showed."""
    columns = (
        Column("fix", "fix", Kind.NAME),
        Column("what", "what"),
        Column("nodes", "nodes", Kind.COUNT),
        Column("before", "off before", Kind.COUNT),
        Column("after", "after", Kind.COUNT),
        Column("claim", "claim"),
        Column("error", "max error", Kind.REAL),
        Column("verdict", "proof", Kind.STATUS),
    )
    return Table("fixes", "Fixes", columns, tuple(map(_row, proofs)), note)


def _row(proof: Proof) -> Row:
    one = proof.applied
    return {
        "fix": one.advice.name,
        "what": one.advice.what,
        "nodes": one.count,
        "before": one.before,
        "after": one.after,
        "claim": str(one.advice.claim),
        "error": proof.error,
        "verdict": "pass" if proof.holds else "fail",
    }


def checks(proofs: Sequence[Proof]) -> tuple[Check, ...]:
    """One check for each rewrite: its claim."""
    return tuple(
        Check(
            f"fix {proof.applied.advice.name}",
            CheckStatus.PASS if proof.holds else CheckStatus.FAIL,
            f"{proof.applied.advice.claim}; largest error {show(proof.error, Kind.REAL)} of the range",
            "executed",
            {"max_error": proof.error, "samples": float(proof.golden + proof.random)},
        )
        for proof in proofs
    )


def diagnostics(proofs: Sequence[Proof]) -> tuple[Diagnostic, ...]:
    """What to change in the training code, for rewrites that are not exact; an error where a claim fails."""
    found = []
    for proof in proofs:
        advice = proof.applied.advice
        if not proof.holds:
            differ = f"outputs differ by {proof.error:.2e}"
            message = f"the fix `{advice.name}` claims to be {advice.claim}, and {differ}"
            found.append(Diagnostic("EK315", message))
        elif advice.claim is Claim.INEXACT:
            error = show(proof.error, Kind.REAL)
            message = f"the fix `{advice.name}` changes the outputs by up to {error} of their range"
            found.append(Diagnostic("EK315", message, Severity.WARNING, help=advice.training or None))
    return tuple(found)
