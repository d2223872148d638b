"""Causes: why ops are not accelerated, each with all the ops that share it and what fixing it would save."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from edgekit.compat.cost import Cost
from edgekit.compat.estimate import Times, total
from edgekit.compat.finding import JudgedOp, Placement, Reason
from edgekit.compat.flow import CODES, Flow, coded
from edgekit.ir import Origin
from edgekit.target import Outcome, Target


@dataclass(frozen=True, slots=True, eq=False)
class Broken:
    """A rule that does not hold, or cannot be decided.

    Attributes:
        reason: The rule; `got` is that of the first op.
        values: The offending values, each with how many ops have it.
    """

    reason: Reason
    values: Mapping[str, int]


@dataclass(frozen=True, slots=True, eq=False)
class Cause:
    """The rules that the same ops of one kind do not keep, or that cannot be decided for them.

    Attributes:
        op: The name of the op.
        rules: What they break, what fails before what is undecided.
        placement: The worst place of the ops.
        ops: Positions of the ops.
        origins: Where the ops come from, without repetitions.
        macs: Multiply-accumulates of the ops; `None` where not known.
        moved: Bytes that they move.
        saves: Estimated seconds that are saved if the cause goes; `None` without numbers.
        others: How many of the ops break other rules besides.
    """

    op: str
    rules: tuple[Broken, ...]
    placement: Placement
    ops: tuple[int, ...]
    origins: tuple[Origin, ...]
    macs: int | None
    moved: int | None
    saves: float | None
    others: int

    @property
    def reason(self) -> Reason:
        """The first rule."""
        return self.rules[0].reason


_SEVERE = (Placement.UNSUPPORTED, Placement.FALLBACK, Placement.UNKNOWN)


def causes(
    ops: Sequence[JudgedOp], costs: Sequence[Cost], known: Times, flow: Flow, target: Target
) -> tuple[Cause, ...]:
    """Groups the reasons of all ops by cause, what to fix first first.

    Ops that run nowhere come first, then what saves most estimated time, then most arithmetic, then most
    bytes.

    Args:
        ops: The judged ops.
        costs: Their costs.
        known: Their estimated times.
        flow: The tensors between them.
        target: What they were judged against.
    """
    groups = _grouped(ops)
    places = coded([op.placement for op in ops])
    before = total(places, known, flow, target)

    def saved(indices: Sequence[int]) -> float | None:
        if before is None:
            return None
        fixed = places.copy()
        fixed[list(indices)] = CODES[Placement.ACCELERATED]
        after = total(fixed, known, flow, target)
        return None if after is None else max(before - after, 0.0)

    found = [_cause(indices, keys, ops, costs, saved) for indices, keys in groups.items()]
    return tuple(sorted(found, key=_urgency))


_Key = tuple[str, str, Outcome]
"""Name and message of a rule, and whether it fails."""


def _grouped(ops: Sequence[JudgedOp]) -> dict[tuple[int, ...], list[_Key]]:
    """Returns the rules that break together, by the ops that break them."""
    by_rule: dict[tuple[str, _Key], list[int]] = {}
    for i, op in enumerate(ops):
        for key in dict.fromkeys((r.rule, r.message, r.outcome) for r in op.verdict.reasons):
            by_rule.setdefault((op.emitted.op, key), []).append(i)
    by_ops: dict[tuple[int, ...], list[_Key]] = {}
    for (_, key), indices in by_rule.items():
        by_ops.setdefault(tuple(indices), []).append(key)
    return by_ops


def _cause(
    indices: tuple[int, ...],
    keys: Sequence[_Key],
    ops: Sequence[JudgedOp],
    costs: Sequence[Cost],
    saved: Callable[[Sequence[int]], float | None],
) -> Cause:
    whole = sum((costs[i] for i in indices), Cost())
    rules = tuple(_broken(key, [ops[i] for i in indices]) for key in keys)
    return Cause(
        op=ops[indices[0]].emitted.op,
        rules=rules,
        placement=_placement(rules, [ops[i].placement for i in indices]),
        ops=indices,
        origins=tuple(dict.fromkeys(ops[i].emitted.origin for i in indices)),
        macs=whole.macs,
        moved=whole.moved,
        saves=saved(indices),
        others=sum(
            len({(r.rule, r.message, r.outcome) for r in ops[i].verdict.reasons}) > len(keys) for i in indices
        ),
    )


def _placement(rules: Sequence[Broken], places: Sequence[Placement]) -> Placement:
    """The worst place of the ops; what cannot be decided keeps nothing off the accelerator by itself."""
    if all(broken.reason.outcome is Outcome.UNKNOWN for broken in rules):
        return Placement.UNKNOWN
    return min(places, key=_SEVERE.index)


def _broken(key: _Key, ops: Sequence[JudgedOp]) -> Broken:
    own = [next(r for r in op.verdict.reasons if (r.rule, r.message, r.outcome) == key) for op in ops]
    return Broken(own[0], dict(Counter(reason.got for reason in own)))


def _urgency(cause: Cause) -> tuple[int, float, int, int]:
    severe = 0 if cause.placement is Placement.UNSUPPORTED else 1
    return severe, -(cause.saves or 0.0), -(cause.macs or 0), -(cause.moved or 0)
