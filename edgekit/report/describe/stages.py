"""A trace beside a contract: what became of each stretch of steps, and why."""

from __future__ import annotations

from collections.abc import Sequence

from edgekit.consistency.diagnose import Diagnosis, Fault
from edgekit.consistency.diagnose import Verdict as Explained
from edgekit.consistency.stages import Comparison, Judged
from edgekit.diagnostics import Diagnostic, ExitCode, Severity, Where
from edgekit.report.model import (
    Check,
    CheckStatus,
    Column,
    Fact,
    Facts,
    Kind,
    Report,
    Row,
    Section,
    Subject,
    Table,
    Verdict,
    VerdictStatus,
)
from edgekit.trace import TraceFile

_COLUMNS = (
    Column("steps", "steps", Kind.NAMES),
    Column("samples", "samples", Kind.COUNT),
    Column("before", "off by", Kind.REAL),
    Column("after", "left", Kind.REAL),
    Column("verdict", "verdict", Kind.STATUS),
    Column("cause", "what the device does"),
)
_NOTE = (
    "root mean square, in steps of the tensor (codes, levels of a pixel, or rounding), each stretch on the "
    "device's own input; `left` is after injecting the cause into the reference"
)
_WORDS = {
    Explained.AGREE: "agree",
    Explained.CONFIRMED: "confirmed",
    Explained.CLASS: "one of several",
    Explained.UNEXPLAINED: "unexplained",
}


def report(comparison: Comparison, trace: TraceFile, subject: Subject, contract: str) -> Report:
    """Describes a comparison.

    Args:
        comparison: What was found.
        trace: The trace.
        subject: The trace's file.
        contract: The contract's file, for the place of diagnostics.
    """
    differ = [j for j in comparison.judged if not j.holds]
    diagnostics = (
        *_incomplete(trace, subject.name),
        *(_diagnostic(j, contract) for j in differ),
        *_notes(comparison),
    )
    checks = tuple(_check(j) for j in comparison.judged)
    return Report(
        "diff", subject, _verdict(comparison, trace), _sections(comparison, trace), checks, diagnostics
    )


def _verdict(comparison: Comparison, trace: TraceFile) -> Verdict:
    guilty = comparison.guilty
    if not comparison.judged:
        return Verdict(VerdictStatus.UNVERIFIED, "nothing was compared", ExitCode.NOTHING_CHECKED)
    if guilty is not None:
        text = f"`{guilty.segment.end}` differs: {_cause(guilty)}"
        return Verdict(VerdictStatus.FAILED, text, ExitCode.DOES_NOT_HOLD)
    if not trace.complete:
        return Verdict(VerdictStatus.FAILED, "the trace is not complete", ExitCode.DOES_NOT_HOLD)
    count = sum(len(j.segment.steps) for j in comparison.judged)
    return Verdict(VerdictStatus.OK, f"the device does what the contract says in {count} steps")


def _sections(comparison: Comparison, trace: TraceFile) -> tuple[Section, ...]:
    header = trace.header
    facts = [Fact(k, k, v, Kind.NAME) for k, v in (header.facts if header else {}).items()]
    facts.append(Fact("records", "records", len(trace.records), Kind.COUNT))
    rows = tuple(_row(j) for j in comparison.judged)
    return (
        Facts("trace", "Trace", tuple(facts)),
        Table("stages", "Stages", _COLUMNS, rows, _NOTE),
        *_fixes(comparison),
    )


def _row(judged: Judged) -> Row:
    found = judged.diagnosis
    return {
        "steps": [s.name for s in judged.segment.steps],
        "samples": judged.samples,
        "before": None if found is None else found.before,
        "after": None if found is None or not found.faults else found.after,
        "verdict": "not compared" if found is None else _WORDS[found.verdict],
        "cause": None if judged.holds else _cause(judged),
    }


def _fixes(comparison: Comparison) -> tuple[Table, ...]:
    rows: list[Row] = []
    for judged in comparison.judged:
        for fault in judged.diagnosis.faults if judged.diagnosis is not None else ():
            rows.append({"family": fault.family, "what": fault.what, "fix": fault.fix})
    columns = (Column("family", "family", Kind.NAME), Column("what", "the device"), Column("fix", "to do"))
    return (Table("fixes", "What to change", columns, tuple(rows)),) if rows else ()


def sentence(faults: Sequence[Fault]) -> str:
    """Returns what a device does, in one sentence."""
    return " and ".join(f.what for f in faults)


def _cause(judged: Judged) -> str:
    found = judged.diagnosis
    if found is None:
        return "no sample has both tensors"
    if found.verdict is Explained.AGREE:
        return f"{len(judged.missing)} samples are missing on one side"
    if found.verdict is Explained.UNEXPLAINED:
        return "no known cause explains it"
    if found.verdict is Explained.CLASS:
        return f"{sentence(found.faults)}, or one of {len(found.rivals)} other causes with the same effect"
    return sentence(found.faults)


def _diagnostic(judged: Judged, contract: str) -> Diagnostic:
    steps = [s.name for s in judged.segment.steps]
    span = f"`{steps[0]}`" if len(steps) == 1 else f"`{steps[0]}` to `{steps[-1]}`"
    verb = "differs" if len(steps) == 1 else "differ"
    found = judged.diagnosis
    notes = [] if found is None else _proof(found)
    if judged.missing:
        notes.append(f"samples that only one side has: {', '.join(map(str, judged.missing[:10]))}")
    help = "; ".join(f.fix for f in found.faults) if found is not None and found.faults else None
    return Diagnostic(
        "EK610", f"{span} {verb}: {_cause(judged)}", where=Where(contract), notes=tuple(notes), help=help
    )


def _proof(found: Diagnosis) -> list[str]:
    if found.verdict is Explained.AGREE:
        return []
    if not found.faults:
        return [f"the device is off by {found.before:.2f} steps (root mean square)"]
    proof = f"injected into the reference, this leaves {found.after:.2f} of {found.before:.2f} steps"
    return [proof, *(f"or: {sentence(rival)}" for rival in found.rivals)]


def _incomplete(trace: TraceFile, name: str) -> tuple[Diagnostic, ...]:
    if trace.complete:
        return ()
    missing = trace.missing()
    what = f"{len(missing)} records are missing" if missing else "its header or its end mark is missing"
    notes = [f"numbers of missing records: {', '.join(map(str, missing[:10]))}"] if missing else []
    notes += [f"at byte {d.offset}: {d.reason}" for d in trace.damage[:5]]
    return (Diagnostic("EK604", f"the trace `{name}` is not complete: {what}", notes=tuple(notes)),)


def _notes(comparison: Comparison) -> tuple[Diagnostic, ...]:
    found: list[Diagnostic] = []
    if comparison.unseen:
        names = ", ".join(f"`{n}`" for n in comparison.unseen)
        found.append(Diagnostic("EK605", f"not recorded, so not compared: {names}", severity=Severity.NOTE))
    if comparison.unknown:
        names = ", ".join(f"`{n}`" for n in comparison.unknown)
        found.append(Diagnostic("EK605", f"the contract has no step {names}", severity=Severity.WARNING))
    return tuple(found)


def _check(judged: Judged) -> Check:
    name = judged.segment.end
    if judged.diagnosis is None:
        return Check(name, CheckStatus.UNCHECKED, _cause(judged))
    status = CheckStatus.PASS if judged.holds else CheckStatus.FAIL
    message = "agrees" if judged.holds else _cause(judged)
    return Check(name, status, message, "on-device", {"rms": judged.diagnosis.before})
