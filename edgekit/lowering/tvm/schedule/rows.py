"""Makes one axis of the rows of a picture where they lie behind one another in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from edgekit.lowering.tvm.adapter import Expr
from edgekit.lowering.tvm.schedule.contraction import Contraction, substituted
from edgekit.lowering.tvm.schedule.epilogue import Epilogue
from edgekit.lowering.tvm.schedule.expr import Ranges, Var, index, linear, loads, number
from edgekit.lowering.tvm.schedule.nest import variable
from edgekit.lowering.tvm.schedule.stage import Axis, Program


def fused(program: Program, sums: Contraction, end: Epilogue) -> tuple[Contraction, Epilogue]:
    """Fuses neighbouring row axes as far as every access allows it, so that tiles fit without a rest."""
    order = [a for a in sums.stage.spatial if any(a is r for r in sums.rows)]
    for outer, inner in reversed(list(pairwise(order))):
        if outer.size is None or inner.size is None:
            continue
        accesses = [(end.buffer, end.indices)]
        reads = [
            load for load in (*loads(sums.left), *loads(end.value)) if not load.source.same_as(end.source)
        ]
        accesses += [(load.source, load.indices) for load in reads]
        if any(program.is_local(b) for b, _ in accesses):
            break
        ranges = Ranges((a.var, 0, a.extent) for a in sums.stage.axes)
        if not all(_adjacent(ranges, b, i, outer, inner) for b, i in accesses):
            continue
        sums, end, merged = _merged(sums, end, outer, inner)
        order = [merged if a is inner else a for a in order]
        return fused(program, sums, end)
    return sums, end


def _adjacent(ranges: Ranges, buffer: Var, indices: Sequence[Expr], outer: Axis, inner: Axis) -> bool:
    """Tells whether a step of the outer axis is as far in memory as all steps of the inner one."""
    place: Expr = index(0)
    for at, size in zip(indices, buffer.ty.shape, strict=True):
        place = place * size + at
    parts = linear(ranges.simplify(place), [outer.var, inner.var])
    steps = None if parts is None else (number(parts[0]), number(parts[1]))
    return steps is not None and None not in steps and steps[0] == (steps[1] or 0) * (inner.size or 0)


def _merged(sums: Contraction, end: Epilogue, outer: Axis, inner: Axis) -> tuple[Contraction, Epilogue, Axis]:
    axis = Axis(variable("pixel"), index((outer.size or 1) * (inner.size or 1)))
    # Past the end of its axis the inner index goes on in the next row: all buffers are parameters, which
    # lie in memory as declared. Quotient and remainder would stay in the address of every element.
    places = {outer.var: index(0), inner.var: axis.var}

    def new(axes: Sequence[Axis]) -> tuple[Axis, ...]:
        return tuple(axis if a is inner else a for a in axes if a is not outer)

    stage = replace(sums.stage, axes=new(sums.stage.axes))
    stage, left, right = substituted(stage, sums.left, sums.right, places)
    return replace(sums, stage=stage, left=left, right=right, rows=new(sums.rows)), end.moved(places), axis
