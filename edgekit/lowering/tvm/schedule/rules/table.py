"""The table of rules; the files of this package fill it."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from edgekit.lowering.tvm.schedule.cpu import Cpu
from edgekit.lowering.tvm.schedule.expr import Stmt, Var
from edgekit.lowering.tvm.schedule.pack import Pack
from edgekit.lowering.tvm.schedule.stage import Declined, Program, Stage


@dataclass(frozen=True)
class Task:
    """What a rule is asked to schedule: the stages of a program from a position on.

    Attributes:
        program: The whole program.
        position: The stage to start with.
        constants: Positions of parameters that are constants wherever the function is called.
        cpu: The CPU.
        decision: What tuning chose for this program, or None.
    """

    program: Program
    position: int
    constants: frozenset[int]
    cpu: Cpu
    decision: Mapping[str, Any] | None = None

    @property
    def stage(self) -> Stage:
        """The stage to start with."""
        return self.program.stages[self.position]


@dataclass(frozen=True)
class Scheduled:
    """The loops of one or more stages.

    Attributes:
        body: The loops.
        stages: How many stages they compute.
        packs: New contents of constant parameters: position -> (buffer, packing).
        buffers: Buffers that the body needs besides the program's.
    """

    body: Stmt
    stages: int = 1
    packs: Mapping[int, tuple[Var, Pack]] = field(default_factory=dict)
    buffers: tuple[Var, ...] = ()


Rule = Callable[[Task], "Scheduled | Declined"]


@dataclass(frozen=True)
class Entry:
    """A registered rule."""

    name: str
    order: int
    apply: Rule


_ENTRIES: dict[str, Entry] = {}


def rule(name: str, *, order: int) -> Callable[[Rule], Rule]:
    """Registers a rule; those of low order are tried first."""

    def register(apply: Rule) -> Rule:
        if name in _ENTRIES:
            raise ValueError(f"the rule `{name}` is registered twice")
        _ENTRIES[name] = Entry(name, order, apply)
        return apply

    return register


def load_rules() -> list[Entry]:
    """Imports every file of the package and returns the rules in the order in which they are tried."""
    package = importlib.import_module("edgekit.lowering.tvm.schedule.rules")
    for module in pkgutil.iter_modules(package.__path__, package.__name__ + "."):
        importlib.import_module(module.name)
    return sorted(_ENTRIES.values(), key=lambda entry: entry.order)
