"""Schedules one function: inlines what is cheap, then asks the rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from edgekit.lowering.tvm.adapter import s_tir, tir, tvm
from edgekit.lowering.tvm.adapter import tvm_ffi as ffi
from edgekit.lowering.tvm.schedule.cpu import Cpu
from edgekit.lowering.tvm.schedule.expr import PrimFunc, Stmt, Var, loads
from edgekit.lowering.tvm.schedule.nest import sequence
from edgekit.lowering.tvm.schedule.pack import Pack
from edgekit.lowering.tvm.schedule.rules.table import Scheduled, Task, load_rules
from edgekit.lowering.tvm.schedule.stage import Program, Stage, elements, inlined


@dataclass(frozen=True)
class Result:
    """A scheduled function.

    Attributes:
        func: The function.
        packs: How constant parameters must be packed, by position.
        rules: The rule that took each nest, in order.
        declined: Why the rules before it did not, by nest and rule.
    """

    func: PrimFunc
    packs: Mapping[int, Pack] = field(default_factory=dict)
    rules: tuple[str, ...] = ()
    declined: tuple[tuple[str, str], ...] = ()


def schedule_program(
    program: Program, constants: frozenset[int], cpu: Cpu, decision: Mapping[str, Any] | None = None
) -> Result:
    """Schedules a program.

    Args:
        program: The program.
        constants: Positions of parameters that are constants at every call.
        cpu: The CPU.
        decision: What tuning chose.

    Returns:
        The function and how its constants are packed.
    """
    program = inlined_cheap(program)
    bodies: list[Stmt] = []
    rules: list[str] = []
    packs: dict[int, tuple[Var, Pack]] = {}
    declined: list[tuple[str, str]] = []
    extra: list[Var] = []
    position = 0
    while position < len(program.stages):
        task = Task(program, position, constants - packs.keys(), cpu, decision)
        name, found = _first(task, declined)
        rules.append(name)
        bodies.append(found.body)
        packs.update(found.packs)
        extra += found.buffers
        position += found.stages
    params = [packs[i][0] if i in packs else p for i, p in enumerate(program.params)]
    body = sequence(bodies)
    used = _buffers(body)
    local = [b for b in (*program.local, *extra) if any(b.same_as(u) for u in used)]
    func = tir.PrimFunc(params, _root(body, local), attrs=_attrs(program))
    return Result(func, {i: p for i, (_, p) in packs.items()}, tuple(rules), tuple(declined))


OPAQUE = 8
"""The pattern that keeps later passes from fusing a function again."""


def _root(body: Stmt, local: list[Var]) -> Stmt:
    block = s_tir.SBlock([], [], [], "root", body, alloc_buffers=local)
    return s_tir.SBlockRealize([], tir.const(True, "bool"), block)


def _attrs(program: Program) -> Any:
    attrs = {**dict(program.attrs), "tirx.is_scheduled": True, "op_pattern": OPAQUE}
    return tvm.ir.make_node("ir.DictAttrs", **attrs)


def _first(task: Task, declined: list[tuple[str, str]]) -> tuple[str, Scheduled]:
    for entry in load_rules():
        found = entry.apply(task)
        if isinstance(found, Scheduled) and not _leaves_open(found, task):
            return entry.name, found
        declined.append(
            (entry.name, "an axis is left open" if isinstance(found, Scheduled) else found.reason)
        )
    raise AssertionError("the generic rule applies always")


def _leaves_open(found: Scheduled, task: Task) -> bool:
    """Tells whether loops read an axis that none of them runs over: no such function can be compiled.

    No rule is known to write such loops; one that does has a fault, and passing over it costs speed only.
    """
    stages = task.program.stages[task.position : task.position + found.stages]
    axes = [axis.var for stage in stages for axis in stage.axes]
    bound: list[Var] = []
    ffi.structural_walk(found.body, (tir.For, lambda loop: bound.append(loop.loop_var)))
    used = [v for v in _buffers(found.body) if any(v.same_as(axis) for axis in axes)]
    return any(not any(v.same_as(b) for b in bound) for v in used)


def _buffers(body: Stmt) -> list[Var]:
    found: dict[Var, None] = {}
    ffi.structural_walk(body, (tvm.ir.Var, lambda v: found.setdefault(v)))
    return list(found)


def inlined_cheap(program: Program) -> Program:
    """Inlines the stages whose elements are needed once, or cost nothing to compute again."""
    position = 0
    while position < len(program.stages):
        stage = program.stages[position]
        if _worth_inlining(program, stage):
            program = inlined(program, stage)
        else:
            position += 1
    return program


def _worth_inlining(program: Program, stage: Stage) -> bool:
    if stage.init is not None or not program.is_local(stage.buffer):
        return False
    if isinstance(stage.value, tvm.ir.TensorLoad):
        return True
    readers = program.readers(stage.buffer)
    if len(readers) != 1 or readers[0].init is not None:
        return False
    uses = sum(1 for load in loads(readers[0].value) if load.source.same_as(stage.buffer))
    return uses == 1 and not _repeats(readers[0], stage)


def _repeats(reader: Stage, stage: Stage) -> bool:
    """Tells whether a reader would compute elements of a stage several times."""
    own, other = elements(stage.axes), elements(reader.axes)
    return own is None or other is None or other > own


__all__ = ["Result", "inlined_cheap", "schedule_program"]
