"""Finds faults, alone and together, that turn the contract's steps into what the device did.

For images in three moves. Geometry first, among some rows and columns: channels and numbers are left open, any linear
mix of the resampled channels may stand for them. Then, on those pixels, each combination of one fault of colour, one
of numbers and one of memory. Last, the best combinations are run in full. Pipelines without geometry are
searched fault by fault, keeping the best few.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from edgekit.consistency.diagnose.fault import Aspect, Fault, Steps, families
from edgekit.consistency.diagnose.residual import Fit, fit, grain_of, predict
from edgekit.consistency.diagnose.view import image_of, moved, parts_of
from edgekit.pipeline import Array

MOST_FAULTS = 3
_LOOKED_AT = 2
"""Samples that the search looks at; all are used to confirm."""
_GEOMETRIES = 4
_CONFIRMED = 24
_BEAM = 6


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """What is to be explained.

    Attributes:
        steps: The contract's steps from a tensor that both sides share to the observed one.
        inputs: The shared tensor of each sample.
        device: The observed tensor of each sample.
    """

    steps: Steps
    inputs: tuple[Array, ...]
    device: tuple[Array, ...]

    def grain(self) -> float:
        """Returns the grain of the observed tensor."""
        return grain_of(self.steps, self.inputs[0], self.device[0])

    def part(self, samples: int) -> Case:
        """Returns the case with the first samples only."""
        return Case(self.steps, self.inputs[:samples], self.device[:samples])


@dataclass(frozen=True, slots=True)
class Candidate:
    """Faults that may explain a device together.

    Attributes:
        faults: In the order in which they were put in; none of two share a family.
        steps: The steps with all of them.
        fit: How well they do.
    """

    faults: tuple[Fault, ...]
    steps: Steps
    fit: Fit


def candidates(case: Case, grain: float) -> list[Candidate]:
    """Returns the faults that fit best, each run in full on all samples; the best first.

    Args:
        case: What is to be explained.
        grain: The grain of the observed tensor.
    """
    proposed = _by_image(case, grain) if parts_of(case.steps) else None
    chosen = _by_beam(case, grain) if proposed is None else proposed
    runs = Runs(case, grain)
    confirmed = [Candidate(faults, steps, runs.fit(steps)) for faults, steps in chosen]
    return sorted(confirmed, key=lambda c: (c.fit.energy, len(c.faults)))


class Runs:
    """Runs steps on all samples and compares; what geometry gives is kept for the next steps that share it."""

    def __init__(self, case: Case, grain: float) -> None:
        self._case = case
        self._grain = grain
        self._kept: dict[Steps, list[Array | None]] = {}

    def fit(self, steps: Steps) -> Fit:
        """Returns how well steps fit."""
        parts = parts_of(steps)
        shared = () if parts is None else (*parts.before, *parts.moving)
        if shared not in self._kept:
            self._kept[shared] = [predict(shared, x) for x in self._case.inputs]
        rest = steps[len(shared) :]
        given = [None if x is None else predict(rest, x) for x in self._kept[shared]]
        return fit(given, self._case.device, self._grain)


Proposal = tuple[tuple[Fault, ...], Steps]


def _faults(steps: Steps, aspect: Aspect, but: Sequence[Fault] = ()) -> Iterator[Fault]:
    used = {f.family for f in but}
    for entry in families().values():
        if entry.aspect is aspect and entry.name not in used:
            yield from entry.faults(steps)


def _by_image(case: Case, grain: float) -> list[Proposal] | None:
    """Proposes faults of an image pipeline; `None` if the observed tensor is no image."""
    looked = case.part(_LOOKED_AT)
    scored: list[tuple[float, Proposal]] = []
    for memory in (None, *_rearranging(case.steps)):
        seen = looked if memory is None else _undone(looked, memory)
        if seen is None:
            continue
        geometries = _geometries(seen)
        if geometries is None:
            return None
        for moves in geometries:
            scored += _numbers(seen, moves, memory, grain)
    scored.sort(key=lambda pair: pair[0])
    return [proposal for _, proposal in scored[:_CONFIRMED]]


def _rearranging(steps: Steps) -> Iterator[Fault]:
    """Yields the faults of memory that only move elements."""
    return (f for f in _faults(steps, Aspect.MEMORY) if f.family == "layout")


def _undone(case: Case, fault: Fault) -> Case | None:
    """Returns the case as it would be without a fault that only moves elements."""
    extra = [s for s in fault.steps if s not in case.steps]
    device = []
    for tensor in case.device:
        index = np.arange(tensor.size).reshape(tensor.shape)
        order = predict(tuple(extra), index)
        if order is None or order.shape != tensor.shape:
            return None
        back = np.empty(tensor.size, tensor.dtype)
        back[order.reshape(-1)] = tensor.reshape(-1)
        device.append(back.reshape(tensor.shape))
    return Case(case.steps, case.inputs, tuple(device))


@dataclass(frozen=True, slots=True)
class _Moves:
    """Faults of geometry, and how well any mix of the channels then fits."""

    faults: tuple[Fault, ...]
    steps: Steps
    loss: float


def _geometries(case: Case) -> list[_Moves] | None:
    """Returns the geometries that fit best under any mix of channels, by coordinate descent over their families."""
    view = _View(case)
    start = _Moves((), case.steps, view.loss(case.steps))
    if not np.isfinite(start.loss) and not view.comparable:
        return None
    tried = {start.steps: start}
    best = start
    for _ in range(MOST_FAULTS):
        for fault in _faults(best.steps, Aspect.GEOMETRY, best.faults):
            if fault.steps not in tried:
                tried[fault.steps] = _Moves((*best.faults, fault), fault.steps, view.loss(fault.steps))
        better = min(tried.values(), key=lambda m: m.loss + 1e-6 * len(m.faults))
        if better is best:
            break
        best = better
    ranked = sorted(tried.values(), key=lambda m: m.loss + 1e-6 * len(m.faults))
    return list({m.steps: m for m in (*ranked[:_GEOMETRIES], start)}.values())


class _View:
    """Some rows and columns of what the device gave, and how well a geometry's pixels can stand for them."""

    def __init__(self, case: Case) -> None:
        self.case = case
        parts = parts_of(case.steps)
        assert parts is not None
        self.device = [image_of(parts.rest, d) for d in case.device]
        self.shape = _plane(parts.rest, case.device[0])
        self.comparable = self.shape is not None and all(d is not None for d in self.device)
        self.images = [predict(parts.before, x) for x in case.inputs]

    def moved(self, steps: Steps) -> list[Array] | None:
        """Returns the pixels of a geometry, or `None` if it does not give the device's shape."""
        parts = parts_of(steps)
        if parts is None or self.shape is None:
            return None
        found = [moved(parts.moving, i, self.shape) for i in self.images if i is not None]
        return [f for f in found if f is not None] if all(f is not None for f in found) else None

    def loss(self, steps: Steps) -> float:
        """Returns the share of the device's energy that no mix of the pixels accounts for."""
        pixels = self.moved(steps)
        if pixels is None or not self.comparable or len(pixels) != len(self.device):
            return float("inf")
        x = np.concatenate([p.reshape(-1, p.shape[-1]) for p in pixels])
        y = np.concatenate([d.reshape(-1, d.shape[-1]) for d in self.device if d is not None]).astype(np.float64)
        if y.dtype.kind == "f" and not np.isfinite(y).all():
            return float("inf")
        keep = _unsaturated(self.case.device[0].dtype, y)
        x, y = x[keep], y[keep]
        if len(x) < 16 or not np.any(y - y.mean(axis=0)):
            return float("inf")
        x = np.concatenate([x, np.ones((len(x), 1))], axis=1)
        solution, *_ = np.linalg.lstsq(x, y, rcond=None)
        left = np.sum(np.square(y - x @ solution))
        return float(left / np.sum(np.square(y - y.mean(axis=0))))


def _plane(rest: Steps, device: Array) -> tuple[int, int] | None:
    from edgekit.pipeline.stages import Layout

    if rest and isinstance(rest[0].stage, Layout):
        if device.ndim != 4:
            return None
        sizes = device.shape[2:] if rest[0].stage.order == "nchw" else device.shape[1:3]
        return int(sizes[0]), int(sizes[1])
    return (device.shape[0], device.shape[1]) if device.ndim == 3 else None


def _unsaturated(dtype: np.dtype[np.generic], y: Array) -> Array:
    if dtype.kind not in "iu":
        return np.ones(len(y), bool)
    limits = np.iinfo(dtype)
    return np.all((y > limits.min) & (y < limits.max), axis=1)


def _numbers(
    case: Case, moves: _Moves, memory: Fault | None, grain: float
) -> Iterator[tuple[float, Proposal]]:
    """Yields each combination of colour, numbers and memory on the pixels of a geometry, with its loss."""
    view = _View(case)
    pixels = view.moved(moves.steps)
    if pixels is None or not view.comparable:
        return
    pixels = [np.clip(np.rint(p[::2, ::2]), 0, 255).astype(np.uint8) for p in pixels]
    device = [d[::2, ::2].astype(np.float64) for d in view.device if d is not None]
    budget = MOST_FAULTS - len(moves.faults) - (memory is not None)
    for faults, steps in _combinations(moves.steps, budget):
        parts = parts_of(steps)
        if parts is None:
            continue
        loss = 0.0
        for image, seen in zip(pixels, device, strict=True):
            value = predict((*parts.points, *_pointwise(parts.rest)), image)
            if value is None or value.shape != seen.shape:
                loss = float("inf")
                break
            loss += float(np.mean(np.square(seen - value))) / grain**2
        whole = (*moves.faults, *faults) if memory is None else (*moves.faults, *faults, memory)
        yield loss + 1e-3 * len(whole), (whole, steps if memory is None else _with(memory, steps))


def _pointwise(rest: Steps) -> Steps:
    from edgekit.consistency.diagnose.families.layout import Misread, Turned
    from edgekit.pipeline.stages import Layout

    return tuple(s for s in rest if not isinstance(s.stage, Layout | Misread | Turned))


def _with(memory: Fault, steps: Steps) -> Steps:
    """Returns steps with a fault that only moves elements, found again among the changed steps."""
    again = (f for f in families()[memory.family].faults(steps) if f.what == memory.what)
    return next(again).steps


def _combinations(steps: Steps, budget: int) -> Iterator[Proposal]:
    yield (), steps
    if budget < 1:
        return
    for colour in (None, *_faults(steps, Aspect.COLOUR)):
        one = steps if colour is None else colour.steps
        for numbers in (None, *_faults(one, Aspect.NUMBERS)):
            two = one if numbers is None else numbers.steps
            for memory in (None, *_codes(two)):
                three = two if memory is None else memory.steps
                chosen = tuple(f for f in (colour, numbers, memory) if f is not None)
                if 0 < len(chosen) <= min(budget, 2):
                    yield chosen, three


def _codes(steps: Steps) -> Iterator[Fault]:
    return (f for f in _faults(steps, Aspect.MEMORY) if f.family != "layout")


def _by_beam(case: Case, grain: float) -> list[Proposal]:
    """Proposes faults of any pipeline: the best few are each given one more fault, up to two."""
    runs = Runs(case.part(_LOOKED_AT), grain)
    found: dict[Steps, tuple[float, Proposal]] = {}
    front: list[Proposal] = [((), case.steps)]
    for _ in range(2):
        grown: list[tuple[float, Proposal]] = []
        for faults, steps in front:
            for fault in _any_fault(steps, faults):
                if fault.steps not in found:
                    loss = runs.fit(fault.steps).energy
                    found[fault.steps] = (loss, ((*faults, fault), fault.steps))
                    grown.append(found[fault.steps])
        front = [p for _, p in sorted(grown, key=lambda g: g[0])[:_BEAM]]
    ranked = sorted(found.values(), key=lambda pair: pair[0])
    return [proposal for _, proposal in ranked[:_CONFIRMED]]


def _any_fault(steps: Steps, but: Sequence[Fault]) -> Iterator[Fault]:
    for aspect in Aspect:
        yield from _faults(steps, aspect, but)
