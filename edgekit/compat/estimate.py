"""Estimated times of a judged model (evidence `estimated`), and what each place has of the work."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgekit.compat.cost import ANY, Cost, Machine, seconds
from edgekit.compat.finding import JudgedOp, Placement
from edgekit.compat.flow import CODES, Codes, Flow
from edgekit.target import Target

Seconds = NDArray[np.float64]
"""Of each op; NaN where not known."""


@dataclass(frozen=True, slots=True, eq=False)
class Times:
    """Estimated times of each op on the accelerator and on the CPU."""

    accelerated: Seconds
    cpu: Seconds

    def at(self, places: Codes) -> Seconds:
        """Returns the times at given places; what is not known to be accelerated counts as on the CPU."""
        return np.where(places == CODES[Placement.ACCELERATED], self.accelerated, self.cpu)


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
    dtypes = [op.emitted.outputs[0].dtype.name if op.emitted.outputs else "" for op in ops]
    return Times(_times(costs, dtypes, machine(target)), _times(costs, dtypes, cpu_machine(target, cpu)))


def _times(costs: Sequence[Cost], dtypes: Sequence[str], on: Machine) -> Seconds:
    if not on.peak and on.bandwidth is None:
        return np.full(len(costs), np.nan)
    found = (seconds(cost, dtype, on) for cost, dtype in zip(costs, dtypes, strict=True))
    return np.array([np.nan if one is None else one for one in found], np.float64)


def total(places: Codes, known: Times, flow: Flow, target: Target) -> float | None:
    """Estimates the time of a run: every op at its place, and the bytes that pass between places.

    Args:
        places: Where each op runs.
        known: Estimates of the ops.
        flow: The tensors between them.
        target: Whose bandwidth counts for what passes.

    Returns:
        Seconds; `None` if one of the ops has no estimate.
    """
    spent = float(known.at(places).sum())
    if np.isnan(spent):
        return None
    if target.compute.bandwidth:
        spent += (flow.crossings(places).bytes or 0) / target.compute.bandwidth
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


def coverage(places: Codes, costs: Sequence[Cost], known: Times) -> Coverage:
    """Weighs where the ops run."""
    macs = np.array([np.nan if c.macs is None else c.macs for c in costs], np.float64)
    moved = np.array([np.nan if c.moved is None else c.moved for c in costs], np.float64)
    return Coverage(
        _shares(places, np.ones(len(costs))) or {},
        _shares(places, macs),
        _shares(places, moved),
        _shares(places, known.at(places)),
    )


def _shares(places: Codes, weights: Seconds) -> Mapping[Placement, float] | None:
    whole = float(weights.sum())
    if np.isnan(whole) or not whole:
        return None
    parts = np.bincount(places, weights, len(CODES)) / whole
    return {place: float(parts[code]) for place, code in CODES.items() if (places == code).any()}
