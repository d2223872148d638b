"""Cuts a stage where its conditions change, so that most of its elements need no test.

Concatenation and padding choose by comparing an index with a constant. Between two such constants every
comparison has one answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from edgekit.lowering.tvm.adapter import Expr, tir, tvm, tvm_ffi
from edgekit.lowering.tvm.schedule.expr import Ranges, index, linear, number
from edgekit.lowering.tvm.schedule.stage import Axis, Stage

MOST_PARTS = 27
"""A stage that would fall into more parts stays whole: code for each would cost more than the tests."""


def parts(stage: Stage) -> list[Stage]:
    """Cuts a stage along its axes.

    Returns:
        Stages that together compute what the stage does, conditions decided where they can be.
    """
    comparisons = _comparisons(stage.value)
    found = [stage]
    for axis in stage.spatial:
        if not axis.size:
            continue
        cuts = _cuts(stage, axis, axis.size, comparisons)
        found = [_restricted(part, axis, a, b) for part in found for a, b in pairwise(cuts)]
    if len(found) == 1 or len(found) > MOST_PARTS:
        return [stage]
    return [_decided(part) for part in found]


def _comparisons(value: Expr) -> list[tuple[Expr, int]]:
    """Returns the comparisons in conditions: an expression, and from which value on the answer is another."""
    found: list[tuple[Expr, int]] = []

    def compared(test: Expr) -> None:
        shift = 0 if isinstance(test, tir.LT | tir.GE) else 1
        if (bound := number(test.b)) is not None:
            found.append((test.a, bound + shift))
        elif (bound := number(test.a)) is not None:
            found.append((test.b, bound + 1 - shift))

    def look(call: Expr) -> None:
        if getattr(call.op, "name", "") == "tirx.if_then_else":
            tvm_ffi.structural_walk(call.args[0], ((tir.LT, tir.LE, tir.GT, tir.GE), compared))

    tvm_ffi.structural_walk(value, (tvm.ir.Call, look))
    return found


def _cuts(stage: Stage, axis: Axis, size: int, comparisons: Sequence[tuple[Expr, int]]) -> list[int]:
    """Returns where an axis is cut, with its ends."""
    ends = {axis.begin, axis.begin + size}
    ranges = Ranges((a.var, a.begin, a.extent) for a in stage.axes)
    for expr, threshold in comparisons:
        split = linear(expr, [axis.var])
        step = None if split is None else number(split[0])
        if split is None or step is None or step <= 0:
            continue
        low, high = ranges.bounds(split[1])
        # from the first cut on the comparison may hold, from the second on it always does
        ends |= {-((high - threshold) // step), -((low - threshold) // step)}
    return sorted(e for e in ends if axis.begin <= e <= axis.begin + size)


def _restricted(stage: Stage, axis: Axis, begin: int, end: int) -> Stage:
    axes = tuple(
        replace(a, begin=begin, extent=index(end - begin)) if a.var.same_as(axis.var) else a
        for a in stage.axes
    )
    return replace(stage, axes=axes)


def _decided(stage: Stage) -> Stage:
    ranges = Ranges((a.var, a.begin, a.extent) for a in stage.axes)
    return replace(stage, value=ranges.simplify(stage.value))
