"""Causes: why ops are not accelerated, each with all the ops that share it and what fixing it would save."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from edgekit.compat.cost import Cost
from edgekit.compat.estimate import Times, total
from edgekit.compat.finding import JudgedOp, Placement, Reason
from edgekit.ir import Origin
from edgekit.target import Target


@dataclass(frozen=True, slots=True, eq=False)
class Cause:
    """One rule that one kind of op does not keep, or that cannot be decided for it.

    Attributes:
        op: The name of the op.
        reason: The rule; `got` is that of the first op.
        placement: The worst place of the ops.
        ops: Positions of the ops.
        values: The offending values, each with how many ops have it.
        origins: Where the ops come from, without repetitions.
        macs: Multiply-accumulates of the ops; `None` where not known.
        moved: Bytes that they move.
        saves: Estimated seconds that are saved if the cause goes; `None` without numbers.
        alone: Whether nothing else keeps these ops off the accelerator.
    """

    op: str
    reason: Reason
    placement: Placement
    ops: tuple[int, ...]
    values: Mapping[str, int]
    origins: tuple[Origin, ...]
    macs: int | None
    moved: int | None
    saves: float | None
    alone: bool


_SEVERE = (Placement.UNSUPPORTED, Placement.FALLBACK, Placement.UNKNOWN)


def causes(ops: Sequence[JudgedOp], costs: Sequence[Cost], known: Times, target: Target) -> tuple[Cause, ...]:
    """Groups the reasons of all ops by cause, what to fix first first.

    Ops that run nowhere come first, then what saves most estimated time, then most arithmetic, then most
    bytes.

    Args:
        ops: The judged ops.
        costs: Their costs.
        known: Their estimated times.
        target: What they were judged against.
    """
    groups: dict[tuple[str, str, str], list[int]] = {}
    for i, op in enumerate(ops):
        for reason in dict.fromkeys((r.rule, r.message) for r in op.verdict.reasons):
            groups.setdefault((op.emitted.op, *reason), []).append(i)
    placements = [op.placement for op in ops]
    before = total(ops, placements, known, target)

    def saved(indices: Sequence[int]) -> float | None:
        if before is None:
            return None
        fixed = list(placements)
        for i in indices:
            fixed[i] = Placement.ACCELERATED
        after = total(ops, fixed, known, target)
        return None if after is None else max(before - after, 0.0)

    found = [_cause(key, indices, ops, costs, saved) for key, indices in groups.items()]
    return tuple(sorted(found, key=_urgency))


def _cause(
    key: tuple[str, str, str],
    indices: Sequence[int],
    ops: Sequence[JudgedOp],
    costs: Sequence[Cost],
    saved: Callable[[Sequence[int]], float | None],
) -> Cause:
    rule, message = key[1:]
    own = [next(r for r in ops[i].verdict.reasons if (r.rule, r.message) == (rule, message)) for i in indices]
    values: dict[str, int] = {}
    for reason in own:
        values[reason.got] = values.get(reason.got, 0) + 1
    whole = sum((costs[i] for i in indices), Cost())
    return Cause(
        op=key[0],
        reason=own[0],
        placement=min((ops[i].placement for i in indices), key=_SEVERE.index),
        ops=tuple(indices),
        values=values,
        origins=tuple(dict.fromkeys(ops[i].emitted.origin for i in indices)),
        macs=whole.macs,
        moved=whole.moved,
        saves=saved(indices),
        alone=all(len(ops[i].verdict.reasons) == 1 for i in indices),
    )


def _urgency(cause: Cause) -> tuple[int, float, int, int]:
    severe = 0 if cause.placement is Placement.UNSUPPORTED else 1
    return severe, -(cause.saves or 0.0), -(cause.macs or 0), -(cause.moved or 0)
