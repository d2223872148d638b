"""What follows a contraction and is computed on its tile: bias, residual, activation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from edgekit.lowering.tvm.adapter import Expr, tir
from edgekit.lowering.tvm.schedule.expr import (
    Var,
    index,
    loads,
    map_loads,
    number,
    reads_bools,
    same,
    substitute,
)
from edgekit.lowering.tvm.schedule.stage import Declined, Program, Stage


@dataclass(frozen=True)
class Epilogue:
    """buffer[indices] = value of one element of the contraction, over the axes of the contraction.

    Attributes:
        stages: How many stages it stands for, without the contraction.
    """

    buffer: Var
    indices: tuple[Expr, ...]
    value: Expr
    source: Var
    stages: int

    def moved(self, places: Mapping[Var, Expr]) -> Epilogue:
        """Returns the epilogue over other axes."""
        indices = tuple(substitute(i, places) for i in self.indices)
        return replace(self, indices=indices, value=substitute(self.value, places))

    def store(self, element: Expr, places: Mapping[Var, Expr]) -> tir.BufferStore:
        """Writes the result of an element at given places of the axes."""
        value = map_loads(
            substitute(self.value, places), lambda load: element if load.source.same_as(self.source) else load
        )
        return tir.BufferStore(self.buffer, value, [substitute(i, places) for i in self.indices])


def of(program: Program, position: int) -> Epilogue:
    """Returns the epilogue of a stage: the next stage if only that reads it and element by element."""
    stage = program.stages[position]
    found = _next(program, position)
    if isinstance(found, Declined):
        own = tir.BufferLoad(stage.buffer, list(stage.indices))
        return Epilogue(stage.buffer, stage.indices, own, stage.buffer, 0)
    after, places = found
    value = substitute(after.value, places)
    return Epilogue(after.buffer, tuple(substitute(i, places) for i in after.indices), value, stage.buffer, 1)


def _next(program: Program, position: int) -> tuple[Stage, dict[Var, Expr]] | Declined:
    stage = program.stages[position]
    if not program.is_local(stage.buffer):
        return Declined("the result leaves the function")
    readers = program.readers(stage.buffer)
    if len(readers) != 1 or position + 1 >= len(program.stages):
        return Declined("the result is read by several stages")
    after = program.stages[position + 1]
    if readers[0] is not after or after.init is not None:
        return Declined("the result is not read by an elementwise stage")
    if reads_bools(after.value):
        return Declined("the next stage reads bools, which vectors cannot")
    own = [load for load in loads(after.value) if load.source.same_as(stage.buffer)]
    places = {a.var: index(0) for a in after.axes if a.size == 1}
    for inside, outside, size in zip(own[0].indices, stage.indices, stage.buffer.ty.shape, strict=True):
        axis = after.axis_of(inside)
        if axis is not None and axis.var not in places and same(axis.extent, size):
            places[axis.var] = outside
        elif number(size) != 1:
            return Declined("the result is not read element by element")
    if any(a.var not in places for a in after.axes):
        return Declined("the next stage is larger than the result")
    first = [substitute(i, places) for i in own[0].indices]
    if not all(
        same(x, y)
        for load in own[1:]
        for x, y in zip(first, (substitute(i, places) for i in load.indices), strict=True)
    ):
        return Declined("the result is read at several places")
    return after, places
