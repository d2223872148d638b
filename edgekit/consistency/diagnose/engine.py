"""Names the cause of a difference: confirmed by injection, one of a class, or unexplained."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass

from edgekit.consistency.diagnose.fault import Fault
from edgekit.consistency.diagnose.residual import Fit, predict
from edgekit.consistency.diagnose.samples import between_samples
from edgekit.consistency.diagnose.search import Candidate, Case, Runs, candidates

CLEARLY = 1.5
"""How many times the energy of the best explanation the next one must leave, to be no rival."""
PER_FAULT = 2.0
"""How many times less energy a further fault must leave, to be worth assuming."""
_EXACT = 1e-4
"""Energy per element, in grains squared, below which explanations are equally exact."""


class Verdict(enum.StrEnum):
    """How a difference was explained."""

    AGREE = "agree"
    CONFIRMED = "confirmed"
    CLASS = "class"
    UNEXPLAINED = "unexplained"


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """The cause of a difference.

    Attributes:
        verdict: How sure it is.
        faults: What the device does, confirmed by injection; of a `class`, the explanation with the least
            left.
        rivals: Of a `class`: the others that explain as well.
        before: The difference from the contract, root mean square in grains.
        after: What is left once the faults are injected into the reference.
        explained: Share of the difference's energy that the faults account for.
    """

    verdict: Verdict
    faults: tuple[Fault, ...]
    rivals: tuple[tuple[Fault, ...], ...]
    before: float
    after: float
    explained: float


def diagnose(case: Case) -> Diagnosis:
    """Explains what a device gave.

    Args:
        case: The contract's steps, their inputs, and what the device gave.

    Raises:
        ValueError: If the case holds no sample.
    """
    if not case.device:
        raise ValueError("a case without samples")
    grain = case.grain()
    runs = Runs(case, grain)
    healthy = runs.fit(case.steps)
    if healthy.explains:
        return Diagnosis(Verdict.AGREE, (), (), healthy.rms, healthy.rms, 0.0)
    found = [c for c in (*_between(case, grain), *candidates(case, grain)) if c.faults and c.fit.explains]
    if not found:
        return Diagnosis(Verdict.UNEXPLAINED, (), (), healthy.rms, healthy.rms, 0.0)
    best = min(found, key=_cost)
    rivals = [c for c in found if c is not best and _rivals(c, best)]
    verdict = Verdict.CLASS if rivals else Verdict.CONFIRMED
    share = 1 - best.fit.energy / best.fit.count / (healthy.energy / healthy.count)
    others = tuple(c.faults for c in rivals)
    return Diagnosis(verdict, best.faults, others, healthy.rms, best.fit.rms, share)


def _between(case: Case, grain: float) -> list[Candidate]:
    reference = [predict(case.steps, x) for x in case.inputs]
    found = between_samples(case.steps, reference, case.device, grain)
    return [Candidate((fault,), fault.steps, how_well) for fault, how_well in found]


def _energy(fit: Fit) -> float:
    return max(fit.energy / fit.count, _EXACT)


def _cost(candidate: Candidate) -> tuple[float, int]:
    faults = len(candidate.faults)
    return float(_energy(candidate.fit) * PER_FAULT**faults), faults


def _rivals(one: Candidate, best: Candidate) -> bool:
    """Tells whether an explanation is as good: as few faults, and hardly more left."""
    return len(one.faults) <= len(best.faults) and _energy(one.fit) <= CLEARLY * _energy(best.fit)


def names(faults: Sequence[Fault]) -> str:
    """Returns what a device does in one sentence."""
    return " and ".join(f.what for f in faults)
