"""Chooses which tensors between functions are stored with their channels last.

A convolution wants the channels of its input and of its result side by side. That wish spreads along stages
that keep the channel axis (elementwise ones, pooling, concatenation, padding). Tensors that something else
than a function of stages sees (inputs and outputs of the graph, constants, views) keep their order.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from edgekit.lowering.tvm.adapter import Expr, relax, tvm
from edgekit.lowering.tvm.schedule import contraction as con
from edgekit.lowering.tvm.schedule.expr import Var, free_vars, is_buffer, loads, number
from edgekit.lowering.tvm.schedule.stage import Declined, Program, Stage, permuted

CHANNELS = 1
"""The axis of the channels in the source."""


def channels_last(rank: int) -> tuple[int, ...]:
    """Returns the order of axes with the channels last."""
    return (0, *range(2, rank), CHANNELS)


@dataclass
class _Tensors:
    """Tensors of the module; variables of the graph and buffers of functions that are one are joined."""

    parent: dict[Var, Var] = field(default_factory=dict)
    fixed: set[Var] = field(default_factory=set)
    near: dict[Var, list[Var]] = field(default_factory=dict)
    wanted: list[Var] = field(default_factory=list)

    def find(self, tensor: Var) -> Var:
        """Returns the representative of a tensor."""
        while self.parent.get(tensor, tensor) is not tensor:
            tensor = self.parent[tensor]
        return tensor

    def join(self, a: Var, b: Var) -> None:
        """States that two names are one tensor."""
        first, second = self.find(a), self.find(b)
        if first is not second:
            self.parent[first] = second

    def link(self, a: Var, b: Var) -> None:
        """States that two tensors are best stored alike."""
        self.near.setdefault(a, []).append(b)
        self.near.setdefault(b, []).append(a)

    def moved(self) -> set[Var]:
        """Returns the representatives of the tensors to store with channels last."""
        fixed = {self.find(t) for t in self.fixed}
        near: dict[Var, list[Var]] = {}
        for tensor, others in self.near.items():
            near.setdefault(self.find(tensor), []).extend(self.find(o) for o in others)
        found: set[Var] = set()
        todo = [self.find(t) for t in self.wanted]
        while todo:
            tensor = todo.pop()
            if tensor not in fixed and tensor not in found:
                found.add(tensor)
                todo += near.get(tensor, [])
        return found


def arrange(mod: Any, programs: Mapping[str, Program]) -> tuple[dict[str, Program], frozenset[str]]:
    """Stores tensors with channels last where convolutions want it.

    Args:
        mod: The module.
        programs: The functions that read as stages, by name.

    Returns:
        The programs with the new order, and the names of those whose result is stored in it.
    """
    tensors = _Tensors()
    for program in programs.values():
        _wishes(program, tensors)
    _join_calls(mod, programs, tensors)
    moved = tensors.moved()
    new: dict[str, Program] = {}
    results: set[str] = set()
    for name, program in programs.items():
        perms: dict[Var, Sequence[int]] = {
            b: channels_last(len(b.ty.shape))
            for b in (*program.params, *program.local)
            if is_buffer(b) and tensors.find(b) in moved
        }
        new[name] = permuted(program, perms) if perms else program
        if program.params[program.outputs[0]] in perms:
            results.add(name)
    return new, frozenset(results)


def _wishes(program: Program, tensors: _Tensors) -> None:
    for stage in program.stages:
        rank = len(stage.indices)
        for load in loads(stage.value):
            if load.source.same_as(stage.buffer) or rank < 3 or len(load.indices) != rank:
                continue
            if _same_channel(stage.indices[CHANNELS], load.indices[CHANNELS]):
                tensors.link(stage.buffer, load.source)
        tensors.wanted += _wanted(program, stage)


def _same_channel(written: Expr, read: Expr) -> bool:
    own, other = free_vars(written), free_vars(read)
    return len(own) == 1 and len(other) == 1 and own[0].same_as(other[0])


def _wanted(program: Program, stage: Stage) -> Iterable[Var]:
    """Returns the tensors of a convolution whose channels it would read or write by vectors."""
    pair = con.factors(stage)
    if isinstance(pair, Declined) or len(stage.indices) < 3:
        return
    for left, right in (pair, pair[::-1]):
        reads, weights = loads(left), loads(right)
        if len(reads) != 1 or len(weights) != 1 or len(reads[0].indices) != len(stage.indices):
            continue
        if not any(p.same_as(weights[0].source) for p in program.params):
            continue
        channel = free_vars(stage.indices[CHANNELS])
        summed = [a.var for a in stage.reduction]
        read_channel = free_vars(reads[0].indices[CHANNELS])
        slides = any(len(free_vars(i)) > 1 or _strided(i) for i in reads[0].indices[2:])
        taps = any(v.same_as(s) for v in read_channel for s in summed)
        if channel and _in(channel[0], free_vars(right)) and (taps or _in(channel[0], read_channel)):
            places = [free_vars(i) for i in stage.indices[2:]]
            if slides or any(
                p and _in(p[0], free_vars(left)) and not _in(p[0], free_vars(right)) for p in places
            ):
                yield stage.buffer
                yield reads[0].source


def _strided(place: Expr) -> bool:
    return number(place) is None and not isinstance(place, tvm.ir.Var)


def _in(var: Var, variables: list[Var]) -> bool:
    return any(var.same_as(v) for v in variables)


def _join_calls(mod: Any, programs: Mapping[str, Program], tensors: _Tensors) -> None:
    """Joins what calls pass to functions with the parameters, and fixes what others see."""
    for func in mod.functions.values():
        if not isinstance(func, relax.Function):
            continue
        own: set[Var] = set()
        bindings = [b for block in func.body.blocks for b in block.bindings]
        for binding in bindings:
            program = _callee(binding.value, programs)
            if program is None or not isinstance(binding, relax.VarBinding) or not _one_tensor(binding.value):
                _fix(binding.value, programs, tensors)
                tensors.fixed.add(binding.var)
                continue
            own.add(binding.var)
            given = binding.value.args[1].fields
            buffers = [p for p in program.params if is_buffer(p)]
            tensors.join(binding.var, buffers[-1])
            for argument, buffer in zip(given, buffers, strict=False):
                if isinstance(argument, tvm.ir.Var):
                    tensors.join(argument, buffer)
                    if argument not in own:
                        tensors.fixed.add(argument)
                else:
                    tensors.fixed.add(buffer)
        _fix(func.body.body, programs, tensors)


def _callee(value: Any, programs: Mapping[str, Program]) -> Program | None:
    if not isinstance(value, tvm.ir.Call) or getattr(value.op, "name", "") != "relax.call_tir":
        return None
    program = programs.get(value.args[0].name_hint)
    return program if program is not None and len(program.outputs) == 1 else None


def _one_tensor(value: Any) -> bool:
    return isinstance(value.ty_args[0], relax.TensorType)


def _fix(value: Any, programs: Mapping[str, Program], tensors: _Tensors) -> None:
    """Keeps the order of all tensors in an expression, and of the parameters of functions it calls."""

    def look(expr: Any) -> None:
        if isinstance(expr, tvm.ir.Var):
            tensors.fixed.add(expr)
        if isinstance(expr, tvm.ir.GlobalVar) and expr.name_hint in programs:
            tensors.fixed.update(p for p in programs[expr.name_hint].params if is_buffer(p))

    relax.analysis.post_order_visit(value, look)
