"""The verdict on an artifact for another machine, from one of the same module for this machine."""

from __future__ import annotations

from dataclasses import replace

from edgekit.artifact import Evidence, Verdict, Verification


def verdict_by(stand_in: Verification) -> Verification:
    """Says what the verification of a stand-in proves of an artifact that cannot run here.

    Args:
        stand_in: The verdict on the same module compiled for this machine.

    Returns:
        A mismatch stays one: the module itself is wrong. Agreement is evidence on the module, not on the
        code for the other machine, so that the artifact stays unverified.
    """
    if stand_in.verdict is Verdict.MISMATCH:
        return replace(
            stand_in, reason=f"the same module compiled for this machine differs: {stand_in.reason}"
        )
    reason = "compiled only: it is for another machine or device, and cannot run on this one"
    if stand_in.verdict is Verdict.VERIFIED:
        found = [d.relative for d in stand_in.deltas if d.relative is not None]
        error = f", max error {max(found):.1e} of the range" if found else ""
        note = (
            f"the same module compiled for this machine agrees on {stand_in.samples} "
            f"{stand_in.inputs} samples{error} ({stand_in.oracle} against {stand_in.runner})"
        )
    else:
        note = f"the same module compiled for this machine is not verified either: {stand_in.reason}"
    return Verification(Verdict.UNVERIFIED, Evidence.LOWERED, reason=reason, notes=(note, *stand_in.notes))
