"""Chooses how to quantise: options that must pay for themselves, and layers in float until a budget holds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from edgekit.consistency.sensitivity import Layer, rank
from edgekit.consistency.trial import Bench, Choice, Trial
from edgekit.diagnostics import EdgekitError
from edgekit.passes.edit import constant, operand
from edgekit.quantize.roles import weights_of

_NAMED = 3
"""Nodes that a step names; of the others it tells how many."""
PRUNED = 8
"""Islands up to which each is tried without."""
_OTHER_RANGES = (
    ("percentile", 99.99, "ranges of 99.99 % of the values"),
    ("percentile", 99.9, "ranges of 99.9 % of the values"),
    ("mse", 99.99, "ranges of the least error"),
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the user asks for beyond a scheme.

    Attributes:
        equalise: Try cross-layer equalisation.
        bias_correction: Try bias correction.
        auto: Search until the budget holds.
        max_drop: The budget: the largest drop, a share.
        full_integer: Nothing may stay in float.
        sensitivity: Rank the layers of what comes out.
    """

    equalise: bool = False
    bias_correction: bool = False
    auto: bool = False
    max_drop: float | None = None
    full_integer: bool = False
    sensitivity: bool = False

    @property
    def tries(self) -> bool:
        """Whether anything is chosen by what it does to samples."""
        return self.auto or self.equalise or self.bias_correction


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that was tried.

    Attributes:
        what: In words.
        drop: What the model loses with it.
        noise: The largest share of noise in an output.
        taken: Whether it was kept.
        why: Why, or why not.
    """

    what: str
    drop: float
    noise: float
    taken: bool
    why: str

    def to_dict(self) -> dict[str, Any]:
        """Returns the JSON form."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Tuned:
    """What came of the search.

    Attributes:
        trial: The best that was found.
        steps: What was tried, in order.
        layers: The ranking of the layers, where one was made.
        kept: The layers that stay in float on request of the search.
        weights_kept: Their share of the weights of the model.
        holds: Whether the budget holds on the samples that judge; `None` without a budget.
    """

    trial: Trial
    steps: tuple[Step, ...]
    layers: tuple[Layer, ...]
    kept: tuple[Layer, ...]
    weights_kept: float
    holds: bool | None


def tune(bench: Bench, choice: Choice, wanted: Wanted) -> Tuned:
    """Finds how to quantise a model.

    Args:
        bench: The model and its samples.
        choice: The scheme and the calibration to start from.
        wanted: What may be tried.

    Returns:
        The best that was found; whether the budget holds is part of it.

    Raises:
        EdgekitError: As `Bench.tried`.
    """
    search = _Search(bench, wanted, bench.tried(choice))
    search.options()
    if wanted.auto and not search.holds and not wanted.full_integer:
        search.islands()
    layers = search.layers
    if wanted.sensitivity and not layers:
        layers = rank(bench, search.best.choice)
    holds = None if wanted.max_drop is None else search.holds
    share = _share_of_weights(bench, search.best.choice)
    return Tuned(search.best, tuple(search.steps), layers, search.kept, share, holds)


@dataclass(slots=True)
class _Search:
    bench: Bench
    wanted: Wanted
    best: Trial
    steps: list[Step] = field(default_factory=list)
    layers: tuple[Layer, ...] = ()
    kept: tuple[Layer, ...] = ()
    first: Trial = field(init=False)

    def __post_init__(self) -> None:
        self.first = self.best
        self._note("as asked for", self.best, True, "the start")

    @property
    def holds(self) -> bool:
        """Whether the best so far is within the budget; without one there is nothing to search for."""
        return self.wanted.max_drop is None or self.best.drop <= self.wanted.max_drop

    def options(self) -> None:
        """Tries what costs nothing on the device; what makes it worse is not taken."""
        for what, choice in self._changes():
            trial = self.bench.tried(choice)
            if _is_same(trial, self.best):
                self._note(what, trial, False, "it changes nothing here")
            elif trial.better_than(self.best):
                self._note(what, trial, True, _gain(trial, self.best))
                self.best = trial
            else:
                self._note(what, trial, False, _gain(trial, self.best))

    def _changes(self) -> Iterator[tuple[str, Choice]]:
        asked, free = self.wanted, self.wanted.auto
        if asked.equalise or (free and not self.holds):
            yield "cross-layer equalisation", replace(self.best.choice, equalise=True)
        if asked.bias_correction or (free and not self.holds):
            yield "bias correction", replace(self.best.choice, bias_correction=True)
        is_calibrated = self.best.choice.wish.scheme.is_calibrated
        for method, percentile, what in _OTHER_RANGES if free and is_calibrated else ():
            if not self.holds:
                yield what, self.best.choice.calibrated(method, percentile)

    def islands(self) -> None:
        """Keeps the fewest of the costliest layers in float with which the budget holds."""
        start = self.best.choice
        self.layers = rank(self.bench, start)
        units = _units(self.layers)
        low, high = 0, 1
        while units and not self._island(units[:high], start):
            if high == len(units):
                return
            low, high = high, min(2 * high, len(units))
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if self._island(units[:middle], start) else (middle, high)
        for layer in self.kept[:-1] if len(self.kept) <= PRUNED else ():  # the last is needed: that was tried
            self._island(tuple(one for one in self.kept if one is not layer), start)
        if self.holds:
            self._asked_ranges()

    def _asked_ranges(self) -> None:
        """Goes back to the ranges asked for if they are no worse now: others may cut off what is to come."""
        asked = self.first.choice.wish.calibration
        trial = self.bench.tried(self.best.choice.calibrated(asked.method, asked.percentile))
        if trial is not self.best and trial.drop <= self.best.drop:
            self._note("the ranges asked for, with these layers in float", trial, True, "they are no worse")
            self.best = trial

    def _island(self, units: Sequence[Layer], start: Choice) -> bool:
        """Tries to keep some layers; tells whether the budget holds then."""
        what = _in_float(sorted(_nodes(units)))
        try:
            trial = self.bench.tried(start.keeping(_nodes(units)))
        except EdgekitError as problem:
            if problem.diagnostics[0].code != "EK403":
                raise
            return False  # nothing is left to quantise: that is no quantisation
        assert self.wanted.max_drop is not None
        fits = trial.drop <= self.wanted.max_drop
        better = fits or (not self.holds and trial.better_than(self.best))
        self._note(what, trial, better, "the budget holds" if fits else _gain(trial, self.best))
        if better:
            self.best, self.kept = trial, tuple(units)
        return fits

    def _note(self, what: str, trial: Trial, taken: bool, why: str) -> None:
        self.steps.append(Step(what, trial.drop, trial.noise, taken, why))


def _units(layers: Sequence[Layer]) -> tuple[Layer, ...]:
    """Returns the layers without those that an earlier one keeps in float along with itself."""
    units: list[Layer] = []
    for layer in layers:
        if not any(set(layer.keep) <= set(one.keep) for one in units):
            units.append(layer)
    return tuple(units)


def _nodes(units: Sequence[Layer]) -> frozenset[str]:
    return frozenset(name for one in units for name in one.keep)


def _in_float(names: Sequence[str]) -> str:
    told = ", ".join(f"`{name}`" for name in names[:_NAMED])
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"{told}{more} in float"


def _is_same(one: Trial, other: Trial) -> bool:
    return (one.drop, one.noise) == (other.drop, other.noise)


def _gain(trial: Trial, best: Trial) -> str:
    if trial.drop != best.drop:
        word = "less" if trial.drop < best.drop else "more"
        return f"it loses {word}: {100 * trial.drop:.2f} % instead of {100 * best.drop:.2f} %"
    word = "less" if trial.noise < best.noise else "more"
    return f"it loses as much, with {word} noise in the outputs"


def _share_of_weights(bench: Bench, choice: Choice) -> float:
    sizes = {
        node.name: held.size
        for node in bench.plan.model.ir.graph
        if weights_of(node) is not None and (held := constant(operand(node, 1))) is not None
    }
    total = sum(sizes.values())
    return sum(size for name, size in sizes.items() if name in choice.keep) / total if total else 0.0
