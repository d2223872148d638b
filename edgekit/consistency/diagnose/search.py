"""Finds faults, alone and together, that turn the contract's steps into what the device did.

For images in three moves. Geometry first, among some rows and columns: channels and numbers are left open,
any linear mix of the resampled channels may stand for them. Then, on those pixels, each combination of one
fault of colour, one of numbers and one of memory. Last, the best combinations are run in full. Pipelines
without geometry are searched fault by fault, keeping the best few.
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
_GEOMETRIES = 12
_NEAR = 1.3
"""Geometries are kept that lose up to this many times what the best loses, and `_SLACK`."""
_SLACK = 1e-6
_ORDERS, _ROUNDING = 2.0, 1e-3
"""Orders of memory are looked at on other pixels: kept within this factor and rounding of the best."""
_EVERY = 2
"""Which of the picked pixels numbers are compared on."""
_CONFIRMED = 24
_FEWEST = 16
"""Pixels that a mix of channels is estimated from at least."""
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
    """Runs steps on all samples and compares; what geometry gives is kept for steps that share it."""

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
    started: list[tuple[_Moves, _View, Fault | None]] = []
    for memory in (None, *_rearranging(case.steps)):
        seen = looked if memory is None else _undone(looked, memory)
        view = None if seen is None else _View(seen)
        if view is not None and view.comparable:
            started += [(moves, view, memory) for moves in _geometries(view)]
    if not started:
        return None
    least = min(moves.loss for moves, _, _ in started)
    scored: list[tuple[float, Proposal]] = []
    for moves, view, memory in started:
        if moves.loss <= _ORDERS * least + _ROUNDING or (not moves.faults and memory is None):
            scored += _numbers(view, moves, memory, grain)
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


def _geometries(view: _View) -> list[_Moves]:
    """Returns the geometries that fit best under any mix of channels, by coordinate descent."""
    steps = view.case.steps
    tried = {steps: _Moves((), steps, view.loss(steps))}

    def best() -> _Moves:
        return min(tried.values(), key=_price)

    def grow(base: _Moves, but: Sequence[Fault]) -> None:
        for fault in _faults(base.steps, Aspect.GEOMETRY, but):
            if fault.steps not in tried:
                tried[fault.steps] = _Moves((*base.faults, fault), fault.steps, view.loss(fault.steps))

    for _ in range(MOST_FAULTS):
        base = best()
        grow(base, base.faults)
        for fault in base.faults:  # what was chosen while others were missing may be chosen otherwise now
            others = tuple(f for f in base.faults if f is not fault)
            again = _again(steps, others)
            if again is not None and len(base.faults) > 1:
                grow(_Moves(others, again, float("inf")), others)
        if best() is base:
            break
    near = [m for m in sorted(tried.values(), key=_price) if m.loss <= _NEAR * best().loss + _SLACK]
    return list(dict.fromkeys((*near[:_GEOMETRIES], tried[steps])))


def _again(steps: Steps, faults: Sequence[Fault]) -> Steps | None:
    """Puts faults into other steps; `None` where one of them has no place there."""
    for fault in faults:
        same = (f for f in families()[fault.family].faults(steps) if f.what == fault.what)
        found = next(same, None)
        if found is None:
            return None
        steps = found.steps
    return steps


def _price(moves: _Moves) -> float:
    return moves.loss + _SLACK * len(moves.faults)


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
        targets = [d.reshape(-1, d.shape[-1]) for d in self.device if d is not None]
        self.target = np.concatenate(targets).astype(np.float64) if self.comparable else np.zeros((0, 1))

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
        if pixels is None or not np.isfinite(self.target).all():
            return float("inf")
        x = np.concatenate([p.reshape(-1, p.shape[-1]) for p in pixels])
        keep = _unsaturated(self.case.device[0].dtype, self.target)
        x, y = x[keep], self.target[keep]
        if len(x) < _FEWEST:
            return float("inf")
        x, y = x - x.mean(axis=0), y - y.mean(axis=0)
        whole = float(np.sum(np.square(y)))
        if not whole:
            return float("inf")
        mix = np.linalg.lstsq(x.T @ x, x.T @ y, rcond=None)[0]  # normal equations: at most four unknowns
        return float(np.sum(np.square(y - x @ mix))) / whole


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
    limits = np.iinfo(str(dtype))
    inside: Array = np.all((y > limits.min) & (y < limits.max), axis=1)
    return inside


def _numbers(
    view: _View, moves: _Moves, memory: Fault | None, grain: float
) -> Iterator[tuple[float, Proposal]]:
    """Yields each combination of colour, numbers and memory on the pixels of a geometry, with its loss."""
    moved = view.moved(moves.steps)
    if moved is None:
        return
    pixels = [np.clip(np.rint(p[::_EVERY, ::_EVERY]), 0, 255).astype(np.uint8) for p in moved]
    device = [d[::_EVERY, ::_EVERY].astype(np.float64) for d in view.device if d is not None]
    budget = min(MOST_FAULTS - len(moves.faults) - (memory is not None), 2)
    for faults, steps in _combinations(moves.steps, budget):
        loss = _pixel_loss(steps, pixels, device) / grain**2
        moved_too = () if memory is None else (memory,)
        whole = (*moves.faults, *faults, *moved_too)
        final = _again(steps, moved_too)
        if final is not None:
            yield loss + 1e-3 * len(whole), (whole, final)


def _pixel_loss(steps: Steps, pixels: Sequence[Array], device: Sequence[Array]) -> float:
    parts = parts_of(steps)
    if parts is None:
        return float("inf")
    pointwise = (*parts.points, *_pointwise(parts.rest))
    loss = 0.0
    for image, seen in zip(pixels, device, strict=True):
        value = predict(pointwise, image)
        if value is None or value.shape != seen.shape:
            return float("inf")
        loss += float(np.mean(np.square(seen - value)))
    return loss


def _pointwise(rest: Steps) -> Steps:
    from edgekit.consistency.diagnose.families.layout import Misread, Turned
    from edgekit.pipeline.stages import Layout

    return tuple(s for s in rest if not isinstance(s.stage, Layout | Misread | Turned))


def _combinations(steps: Steps, budget: int, but: tuple[Fault, ...] = ()) -> Iterator[Proposal]:
    """Yields up to `budget` faults that are no geometry, each of a family of its own."""
    yield but, steps
    if budget < 1:
        return
    order = list(families())
    for fault in _pixel_faults(steps, but):
        if not but or order.index(fault.family) > order.index(but[-1].family):
            yield from _combinations(fault.steps, budget - 1, (*but, fault))


def _pixel_faults(steps: Steps, but: Sequence[Fault]) -> Iterator[Fault]:
    for aspect in (Aspect.COLOUR, Aspect.NUMBERS):
        yield from _faults(steps, aspect, but)
    yield from (f for f in _faults(steps, Aspect.MEMORY, but) if f.family != "layout")


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
