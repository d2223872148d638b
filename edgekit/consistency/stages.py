"""Compares a trace with a contract stage by stage, each on the device's own input, and explains what differs.

Noise of one stage never reaches the verdict on the next: what is judged is a *segment*, the steps between two
tensors that the device recorded. The first segment that differs is the guilty one; what follows is judged
all the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from edgekit.consistency.diagnose import Case, Diagnosis, Verdict, diagnose
from edgekit.pipeline import Array, Contract, Step
from edgekit.trace import Level, Record, TraceFile

INPUT = "input"
"""The stage under which a device records what it was given."""


@dataclass(frozen=True, slots=True)
class Segment:
    """The steps between two recorded tensors.

    Attributes:
        begin: The stage whose tensor both sides share.
        steps: What is done to it.
    """

    begin: str
    steps: tuple[Step, ...]

    @property
    def end(self) -> str:
        """The stage whose tensor is compared."""
        return self.steps[-1].name


@dataclass(frozen=True, slots=True)
class Judged:
    """What became of a segment.

    Attributes:
        segment: The segment.
        samples: How many samples were compared.
        missing: Samples that one side has and the other has not.
        diagnosis: Why it differs, or that it agrees; `None` where nothing could be compared.
    """

    segment: Segment
    samples: int
    missing: tuple[int, ...]
    diagnosis: Diagnosis | None

    @property
    def holds(self) -> bool:
        """Whether all samples were compared and agree."""
        return not self.missing and self.diagnosis is not None and self.diagnosis.verdict is Verdict.AGREE


@dataclass(frozen=True, slots=True)
class Comparison:
    """A trace beside a contract.

    Attributes:
        judged: The segments in the order of the contract.
        unseen: Steps behind the last tensor that was recorded: nothing is known of them.
        unknown: Stages of the trace that the contract does not have.
    """

    judged: tuple[Judged, ...]
    unseen: tuple[str, ...]
    unknown: tuple[str, ...]

    @property
    def guilty(self) -> Judged | None:
        """The first segment that differs."""
        return next((j for j in self.judged if not j.holds), None)


Tensors = Mapping[int, Array]
"""A tensor by the number of its sample."""


def compare_trace(contract: Contract, trace: TraceFile, inputs: Sequence[Array] | None = None) -> Comparison:
    """Compares a trace with a contract.

    Args:
        contract: What the device should do.
        trace: What it recorded, each tensor under the name of its step, in full.
        inputs: What the samples were, in their order; else what the trace recorded under `input`.
    """
    seen = _by_stage(trace.records)
    if inputs is not None:
        seen[INPUT] = dict(enumerate(inputs))
    names = [step.name for step in contract.steps]
    judged = [_judge(segment, seen) for segment in _segments(contract.steps, seen)]
    last = max((i + 1 for i, name in enumerate(names) if name in seen), default=0)
    unknown = sorted(seen.keys() - {INPUT, *names})
    return Comparison(tuple(judged), tuple(names[last:]), tuple(unknown))


def _by_stage(records: Sequence[Record]) -> dict[str, dict[int, Array]]:
    seen: dict[str, dict[int, Array]] = {}
    for record in records:
        if record.level is Level.FULL and record.values is not None:
            seen.setdefault(record.stage, {})[record.sample] = record.values
    return seen


def _segments(steps: Sequence[Step], seen: Mapping[str, Tensors]) -> list[Segment]:
    """Returns the segments whose two ends were recorded; the model is no part of any."""
    segments: list[Segment] = []
    begin = INPUT if INPUT in seen else None
    pending: list[Step] = []
    for step in steps:
        if step.stage is None:
            begin, pending = (step.name if step.name in seen else None), []
            continue
        pending.append(step)
        if step.name not in seen:
            continue
        if begin is not None:
            segments.append(Segment(begin, tuple(pending)))
        begin, pending = step.name, []
    return segments


def _judge(segment: Segment, seen: Mapping[str, Tensors]) -> Judged:
    given, got = seen[segment.begin], seen[segment.end]
    shared = sorted(given.keys() & got.keys())
    missing = tuple(sorted(given.keys() ^ got.keys()))
    if not shared:
        return Judged(segment, 0, missing, None)
    case = Case(segment.steps, tuple(given[i] for i in shared), tuple(got[i] for i in shared))
    return Judged(segment, len(shared), missing, diagnose(case))
