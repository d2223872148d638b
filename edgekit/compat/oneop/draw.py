"""`Draw`: the knobs of a one-op model, at their base values, turned by name, or drawn at random.

A family of models is written once, as a function that asks a `Draw` for its knobs. A campaign draws them with
a seed; a probe holds all at their base values and turns one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np

T = TypeVar("T")

_TURNED = 0.3
"""Share of the knobs that leave their base in a draw: with more, models fail for many reasons at once."""
_AT_LIMIT = 0.45
"""Share of the drawn sizes that lie next to one of the limits that the family names."""


@dataclass(frozen=True, slots=True)
class Knob:
    """A knob that a family asked for.

    Attributes:
        base: The value that every target should take.
        values: What it may be, where that is a list.
        low: The smallest size, where it is a size.
        high: The largest size that is drawn; families may be asked for more.
        near: Sizes at which accelerators are known to have limits.
    """

    base: Any
    values: tuple[Any, ...] = ()
    low: int | None = None
    high: int | None = None
    near: tuple[int, ...] = ()


@dataclass(slots=True)
class Draw:
    """Answers for knobs.

    Attributes:
        fixed: Values by knob, which win over everything.
        seed: Seed of the random draw; `None` leaves all other knobs at their base.
        asked: Every knob that was asked for, by name.
        turned: The value of every knob that is not at its base.
        random: Source of the elements of constants, the same for the same seed.
    """

    fixed: Mapping[str, Any] = field(default_factory=dict)
    seed: int | None = None
    asked: dict[str, Knob] = field(default_factory=dict)
    turned: dict[str, Any] = field(default_factory=dict)
    random: np.random.Generator = field(init=False)

    def __post_init__(self) -> None:
        self.random = np.random.default_rng(self.seed or 0)

    def one_of(self, name: str, base: T, *others: T) -> T:
        """Returns one of the values of a knob; it should be at `base`."""
        drawn = base
        if self._free(name):
            drawn = others[int(self.random.integers(len(others)))]
        return self._answer(name, drawn, Knob(base, (base, *others)))

    def size(self, name: str, base: int, high: int, *, low: int = 1, near: tuple[int, ...] = ()) -> int:
        """Returns a size from `low` to `high`; random draws prefer the neighbours of the limits in `near`."""
        drawn = base
        if self._free(name):
            drawn = self._size(low, high, near)
        return int(self._answer(name, drawn, Knob(base, low=low, high=high, near=near)))

    def often(self, name: str, base: T, *others: T) -> T:
        """Returns one of the values of a knob, all with the same chance in a random draw."""
        values = (base, *others)
        drawn = base if self.seed is None else values[int(self.random.integers(len(values)))]
        return self._answer(name, drawn, Knob(base, values))

    def _free(self, name: str) -> bool:
        return self.seed is not None and name not in self.fixed and self.random.random() < _TURNED

    def _size(self, low: int, high: int, near: tuple[int, ...]) -> int:
        if near and self.random.random() < _AT_LIMIT:
            limit = near[int(self.random.integers(len(near)))]
            return max(low, limit + int(self.random.integers(-1, 2)))
        small = self.random.random() < 0.7
        return int(self.random.integers(low, min(high, low + 8) + 1 if small else high + 1))

    def _answer(self, name: str, drawn: T, knob: Knob) -> T:
        value: T = self.fixed.get(name, drawn)
        self.asked[name] = knob
        if value != knob.base:
            self.turned[name] = value
        return value
