"""The table of ops: a function for each op and version; its parameters are the op's.

How a parameter is annotated says what it takes:

    Array               a tensor; one of floats comes as float32
    Real                a tensor of floats
    tuple[Array, ...]   a tuple of tensors
    int, float, bool, str   a scalar
    Ints, Bools         a vector, as a tuple
    Number              a scalar of the tensor's own kind, as a numpy scalar
    Items, State        a list, a state
    Labels              a constant list
    ... | None          the same, or nothing; any default makes a parameter optional
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from edgekit.runners.mil_reference.types import Array

Real = Array
Ints = tuple[int, ...]
Bools = tuple[bool, ...]
Number = Any
Labels = tuple[Any, ...]

Evaluation = Callable[..., Any]
"""Takes the parameters; returns an array, or a tuple for several outputs.

A float32 array takes the float type of the op's first tensor of floats; a `Typed` says its own.
"""


F = TypeVar("F", bound=Evaluation)


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of an op.

    Attributes:
        name: As the opset spells it.
        kind: The annotation, without `| None`.
        optional: Whether it may be absent.
    """

    name: str
    kind: str
    optional: bool


@dataclass(frozen=True, slots=True)
class Row:
    """One version of an op."""

    function: Evaluation
    parameters: tuple[Parameter, ...]
    alike: tuple[str, ...] = ()
    """Parameters whose tensors must have one dtype."""


class MilTable:
    """Maps (op, iOS version) to a function."""

    def __init__(self) -> None:
        self._rows: dict[str, dict[int, Row]] = {}

    def evaluates(self, *ops: str, since: int = 15, alike: tuple[str, ...] = ()) -> Callable[[F], F]:
        """Registers the decorated function.

        Args:
            ops: Ops that share it.
            since: The iOS version whose definition it follows.
            alike: Parameters whose tensors must have one dtype.

        Raises:
            ValueError: If an op of that version is registered already.
        """

        def register(function: F) -> F:
            row = Row(function, _parameters(function), alike)
            for op in ops:
                versions = self._rows.setdefault(op, {})
                if since in versions:
                    raise ValueError(f"`{op}` since iOS {since} is registered twice")
                versions[since] = row
            return function

        return register

    def find(self, op: str, ios: int) -> Row | None:
        """Returns the newest definition of an op that is not above a version, or `None`."""
        versions = self._rows.get(op, {})
        fitting = [since for since in versions if since <= ios]
        return versions[max(fitting)] if fitting else None

    def __iter__(self) -> Iterator[tuple[str, int]]:
        """Iterates over (op, version), sorted."""
        return iter(sorted((op, since) for op, versions in self._rows.items() for since in versions))


def _parameters(function: Evaluation) -> tuple[Parameter, ...]:
    return tuple(
        Parameter(
            p.name.removesuffix("_"), str(p.annotation).removesuffix(" | None"), p.default is not p.empty
        )
        for p in inspect.signature(function).parameters.values()
    )


TABLE = MilTable()
evaluates = TABLE.evaluates
