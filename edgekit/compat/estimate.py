"""Estimated times of a judged model (evidence `estimated`), and what each place has of the work."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from edgekit.compat.cost import ANY, Cost, Machine, seconds
from edgekit.compat.finding import JudgedOp, Placement
from edgekit.compat.partition import crossings
from edgekit.target import Target


@dataclass(frozen=True, slots=True)
class Times:
    """Estimated seconds of each op on the accelerator and on the CPU; `None` where not known."""

    accelerated: tuple[float | None, ...]
    cpu: tuple[float | None, ...]


def machine(target: Target) -> Machine:
    """Returns the numbers of a descriptor; without numbers nothing is estimated."""
    compute = target.compute
    peak = {}
    if compute.clock_hz:
        peak = {dtype: 2 * macs * compute.clock_hz for dtype, macs in compute.macs_per_cycle.items() if macs}
    return Machine(peak, compute.bandwidth)


def cpu_machine(target: Target, cpu: Target | None) -> Machine:
    """Returns the CPU beside an accelerator: by the target's own number, else by the CPU's descriptor."""
    if target.compute.cpu_macs_per_second:
        return Machine({ANY: 2 * target.compute.cpu_macs_per_second})
    return Machine() if cpu is None else machine(cpu)


def times(ops: Sequence[JudgedOp], costs: Sequence[Cost], target: Target, cpu: Target | None = None) -> Times:
    """Estimates the time of every op at both places."""
    accelerator, behind = machine(target), cpu_machine(target, cpu)
    dtypes = [op.emitted.outputs[0].dtype.name if op.emitted.outputs else "" for op in ops]
    pairs = list(zip(costs, dtypes, strict=True))
    return Times(
        tuple(seconds(c, d, accelerator) for c, d in pairs), tuple(seconds(c, d, behind) for c, d in pairs)
    )


def total(
    ops: Sequence[JudgedOp], placements: Sequence[Placement], known: Times, target: Target
) -> float | None:
    """Estimates the time of a run: every op at its place, and the bytes that pass between places.

    Args:
        ops: The ops.
        placements: Where each runs; one that runs nowhere counts as on the CPU.
        known: Estimates of the ops.
        target: Whose bandwidth counts for what passes.

    Returns:
        Seconds; `None` if one of the ops has no estimate.
    """
    spent = 0.0
    for place, fast, slow in zip(placements, known.accelerated, known.cpu, strict=True):
        one = fast if place is Placement.ACCELERATED else slow
        if one is None:
            return None
        spent += one
    passed = crossings(ops, placements).bytes
    if passed and target.compute.bandwidth:
        spent += passed / target.compute.bandwidth
    return spent


@dataclass(frozen=True, slots=True)
class Coverage:
    """The share of each place in the work, by several measures; `None` where one is not known.

    Attributes:
        ops: By number of ops.
        macs: By multiply-accumulates.
        bytes: By bytes moved.
        time: By estimated time.
    """

    ops: Mapping[Placement, float]
    macs: Mapping[Placement, float] | None
    bytes: Mapping[Placement, float] | None
    time: Mapping[Placement, float] | None


def coverage(ops: Sequence[JudgedOp], costs: Sequence[Cost], known: Times) -> Coverage:
    """Weighs where the ops run."""
    own = [
        fast if op.placement is Placement.ACCELERATED else slow
        for op, fast, slow in zip(ops, known.accelerated, known.cpu, strict=True)
    ]
    return Coverage(
        _shares(ops, [1.0] * len(ops)) or {},
        _shares(ops, [c.macs for c in costs]),
        _shares(ops, [c.moved for c in costs]),
        _shares(ops, own),
    )


def _shares(ops: Sequence[JudgedOp], weights: Iterable[float | None]) -> Mapping[Placement, float] | None:
    sums: dict[Placement, float] = {}
    for op, weight in zip(ops, weights, strict=True):
        if weight is None:
            return None
        sums[op.placement] = sums.get(op.placement, 0.0) + weight
    whole = sum(sums.values())
    return {place: part / whole for place, part in sums.items()} if whole else None
