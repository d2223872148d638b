"""What of the findings counts: the level, the baseline and the waivers of a check."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass

from edgekit.compat.baseline import Baseline
from edgekit.compat.check import Compatibility, FailOn, Result
from edgekit.compat.finding import JudgedNode
from edgekit.compat.waivers import Waiver, waiver_for


@dataclass(frozen=True, slots=True)
class Policy:
    """How strict a check is.

    Attributes:
        fail_on: What a model must not have.
        any_target: Whether it is enough that one of the targets holds.
        baseline: Verdicts accepted before; with it only regressions fail.
        waivers: What is accepted for the time being.
        today: The day that waivers are held against.
    """

    fail_on: FailOn = FailOn.UNSUPPORTED
    any_target: bool = False
    baseline: Baseline | None = None
    waivers: tuple[Waiver, ...] = ()
    today: datetime.date | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Ruling:
    """What of the result of one target counts.

    Attributes:
        result: The result.
        failing: Nodes that do not hold.
        waived: Nodes that would not, with the waiver of each.
        accepted: How many nodes would not, and did not when the baseline was written.
    """

    result: Result
    failing: tuple[JudgedNode, ...]
    waived: tuple[tuple[JudgedNode, Waiver], ...]
    accepted: int

    @property
    def holds(self) -> bool:
        """Whether nothing fails, and the model fits into the memory as far as that is known."""
        return not self.failing and self.result.sram.fits is not False and self.result.flash.fits is not False


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """What counts in all.

    Attributes:
        rulings: One for each target that judged.
        holds: Whether the check holds.
        checked: Whether anything could be told of any target.
        expired: Waivers that cover something and have expired.
        unused: Waivers that cover nothing.
    """

    rulings: tuple[Ruling, ...]
    holds: bool
    checked: bool
    expired: tuple[Waiver, ...]
    unused: tuple[Waiver, ...]


def rule(found: Compatibility, policy: Policy) -> Outcome:
    """Applies a policy to what targets say of a model."""
    today = policy.today or datetime.date.today()
    rulings = tuple(_ruling(result, policy, today) for result in found.results)
    used = {id(waiver) for ruling in rulings for _, waiver in ruling.waived}
    expired = tuple(w for w in policy.waivers if today > w.expires and _covers_any(w, rulings))
    idle = tuple(w for w in policy.waivers if id(w) not in used and w not in expired)
    held = [ruling.holds for ruling in rulings]
    holds = bool(held) and (any(held) if policy.any_target else all(held) and not found.skipped)
    return Outcome(rulings, holds, any(_decided(r) for r in found.results), expired, idle)


def _ruling(result: Result, policy: Policy, today: datetime.date) -> Ruling:
    candidates: Sequence[JudgedNode] = result.failing(policy.fail_on)
    count = len(candidates)
    if policy.baseline is not None:
        worse = policy.baseline.regressions(result)
        candidates = [node for node in candidates if node.name in worse]
    pairs = [(n, waiver_for(policy.waivers, result.target.id, n, today)) for n in candidates]
    return Ruling(
        result,
        tuple(node for node, waiver in pairs if waiver is None),
        tuple((node, waiver) for node, waiver in pairs if waiver is not None),
        count - len(candidates),
    )


def _covers_any(waiver: Waiver, rulings: Sequence[Ruling]) -> bool:
    return any(waiver.covers(r.result.target.id, node) for r in rulings for node in r.failing)


def _decided(result: Result) -> bool:
    """Whether the target can tell anything: a node without ops tells nothing of it."""
    return any(op.placement != "unknown" for op in result.judgement.ops)
