"""`Fault`: something that a device may do instead of what the contract says; and the table of their families.

A fault is the contract's steps with a change. Running the changed steps *injects* the fault; comparing the
result with what the device gave *explains* it. The library is thereby its own oracle.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from edgekit.pipeline import Step
from edgekit.pipeline.stages import Dequantise, Sigmoid, Softmax

Steps = tuple[Step, ...]


class Aspect(enum.IntEnum):
    """What a family changes, in the order in which the search settles it.

    Geometry shows through any mix of the channels and any scaling; it is found first, by a metric that
    ignores both.
    """

    GEOMETRY = 0
    COLOUR = 1
    NUMBERS = 2
    MEMORY = 3


@dataclass(frozen=True, slots=True)
class Fault:
    """One way in which a device may deviate.

    Attributes:
        family: The name of its family.
        what: What the device does, as a clause: "channels are in the order BGR".
        fix: What to change on the device.
        steps: The steps as the device runs them.
    """

    family: str
    what: str
    fix: str
    steps: Steps


Family = Callable[[Steps], Iterator[Fault]]


@dataclass(frozen=True, slots=True)
class FamilyEntry:
    """A family in the table.

    Attributes:
        name: In kebab case.
        aspect: What it changes.
        faults: Gives the faults that are possible in some steps.
    """

    name: str
    aspect: Aspect
    faults: Family


_FAMILIES: dict[str, FamilyEntry] = {}

Made = tuple[str, str, Steps]
"""What, fix and steps of a fault."""


def family(name: str, aspect: Aspect) -> Callable[[Callable[[Steps], Iterator[Made]]], Family]:
    """Enters a function into the table of families; it yields what, fix and steps of each fault."""

    def enter(function: Callable[[Steps], Iterator[Made]]) -> Family:
        if name in _FAMILIES:
            raise ValueError(f"two families are called `{name}`")

        def faults(steps: Steps) -> Iterator[Fault]:
            return (Fault(name, what, fix, changed) for what, fix, changed in function(steps))

        _FAMILIES[name] = FamilyEntry(name, aspect, faults)
        return faults

    return enter


def families() -> Mapping[str, FamilyEntry]:
    """Returns the families by name."""
    import edgekit.consistency.diagnose.families  # noqa: F401 - fills the table

    return dict(sorted(_FAMILIES.items(), key=lambda item: (item[1].aspect, item[0])))


def on_images(steps: Steps) -> bool:
    """Tells whether steps may work on an image: none of them belongs behind a model."""
    return not any(places(steps, Dequantise, Softmax, Sigmoid))


def replaced(steps: Steps, index: int, *by: Step) -> Steps:
    """Returns steps with others in the place of one."""
    return (*steps[:index], *by, *steps[index + 1 :])


def inserted(steps: Steps, index: int, *new: Step) -> Steps:
    """Returns steps with others before one."""
    return (*steps[:index], *new, *steps[index:])


def places(steps: Sequence[Step], *types: type) -> Iterator[tuple[int, Step]]:
    """Yields the steps whose stages are of given types, with their positions."""
    return ((i, step) for i, step in enumerate(steps) if isinstance(step.stage, types))
