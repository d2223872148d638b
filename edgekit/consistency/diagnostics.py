"""What there is to say of a verdict, as diagnostics."""

from __future__ import annotations

from edgekit.artifact import Delta, Divergence, Status, Verdict, Verification
from edgekit.diagnostics import Diagnostic, Where


def verdict_diagnostics(verification: Verification) -> tuple[Diagnostic, ...]:
    """Returns EK601 for outputs that differ, EK603 for missing ones, EK602 where nothing was proved.

    Args:
        verification: The verdict.

    Returns:
        The errors that end the work; none for a verified artifact.
    """
    if verification.verdict is Verdict.UNVERIFIED:
        reason = verification.reason or "no reason is known"
        message = f"the artifact was not verified: {reason}"
        return (Diagnostic("EK602", message, notes=_output_notes(verification) + verification.notes),)
    if verification.verdict is Verdict.VERIFIED:
        return ()
    missing = [d for d in verification.deltas if d.status is Status.MISSING]
    differing = [d for d in verification.deltas if d.status is Status.DIFFER]
    found = []
    if differing:
        found.append(_differs(verification, differing))
    if missing:
        names = ", ".join(f"`{d.tensor}`" for d in missing)
        reason = verification.reason or "the artifact does not give them"
        found.append(
            Diagnostic("EK603", f"no value for the outputs {names}: {reason}", notes=verification.notes)
        )
    return tuple(found)


def _differs(verification: Verification, differing: list[Delta]) -> Diagnostic:
    worst = max(differing, key=lambda d: d.relative or 0.0)
    message = f"the artifact differs from the source model at the output `{worst.tensor}`"
    if len(differing) > 1:
        message = f"the artifact differs from the source model at {len(differing)} outputs"
    first = verification.first_divergence
    notes = [*_output_notes(verification), *_divergence_notes(first), *verification.notes]
    where = Where()
    if first is not None:
        where = Where(first.origin.file, first.origin.line, first.origin.nodes, first.origin.scope)
    return Diagnostic(
        "EK601",
        message,
        where=where,
        notes=tuple(notes),
        help="accept a larger error with `--tolerance`, or report the node that differs",
        data={"outputs": [d.tensor for d in differing], "relative": worst.relative},
    )


def _output_notes(verification: Verification) -> tuple[str, ...]:
    return tuple(f"`{d.tensor}`: {d.reason}" for d in verification.deltas if not d.status.holds and d.reason)


def _divergence_notes(first: Divergence | None) -> list[str]:
    if first is None:
        return []
    name = first.origin.nodes[0] if first.origin.nodes else first.tensor
    notes = [f"the first node that differs is `{name}` ({first.op_type}): {first.delta.reason}"]
    if first.unobserved:
        shown = ", ".join(f"`{n}`" for n in first.unobserved[:5])
        more = f" and {len(first.unobserved) - 5} more" if len(first.unobserved) > 5 else ""
        notes.append(f"the cause may lie before it, in tensors that cannot be observed: {shown}{more}")
    return notes
