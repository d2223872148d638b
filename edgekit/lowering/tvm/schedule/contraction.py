"""Sums of products recognised by their indices: products of matrices, convolutions, depthwise ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from edgekit.lowering.tvm.adapter import Expr, tir, tvm
from edgekit.lowering.tvm.adapter import tvm_ffi as ffi
from edgekit.lowering.tvm.schedule.expr import (
    Ranges,
    Var,
    free_vars,
    index,
    loads,
    map_loads,
    number,
    reads_bools,
    substitute,
)
from edgekit.lowering.tvm.schedule.nest import variable
from edgekit.lowering.tvm.schedule.stage import Axis, Declined, Stage


@dataclass(frozen=True)
class Contraction:
    """out[...] = sum of left * right.

    Attributes:
        stage: The stage, with grouped axes split in two and axes of one turn taken out.
        left: The factor that is repeated over the lanes, or shares them.
        right: The factor that is read lane by lane.
        rows: Axes of the result that only `left` has.
        columns: Axes of the result that only `right` has.
        batch: Axes of the result that both or none have.
        origin: What the variables of the stage as it was given are in terms of the axes.
    """

    stage: Stage
    left: Expr
    right: Expr
    rows: tuple[Axis, ...]
    columns: tuple[Axis, ...]
    batch: tuple[Axis, ...]
    origin: Mapping[Var, Expr]

    @property
    def sums(self) -> tuple[Axis, ...]:
        """The axes that are summed over."""
        return self.stage.reduction


def factors(stage: Stage) -> tuple[Expr, Expr] | Declined:
    """Returns the two factors whose products a stage sums."""
    if stage.init is None:
        return Declined("the stage does not sum")
    if not isinstance(stage.value, tir.Add):
        return Declined("the stage does not sum with +")
    own, term = stage.value.a, stage.value.b
    if not _is_own(own, stage):
        own, term = term, own
    if not _is_own(own, stage):
        return Declined("the sum is not kept in the result")
    if not isinstance(term, tir.Mul):
        return Declined("the stage does not sum products")
    if reads_bools(term):
        return Declined("the stage reads bools, which vectors cannot")
    return term.a, term.b


def _is_own(expr: Expr, stage: Stage) -> bool:
    return isinstance(expr, tvm.ir.TensorLoad) and expr.source.same_as(stage.buffer)


def analyse(stage: Stage, left: Expr, right: Expr) -> Contraction | Declined:
    """Sorts the axes of a sum of products by which factor they occur in.

    Args:
        stage: A stage that sums `left * right`.
        left: The factor to repeat.
        right: The factor to read by lanes; it must be one read of a buffer, perhaps converted.

    Returns:
        The contraction, or why it is none.
    """
    if len(loads(right)) != 1:
        return Declined("a factor is not one read of a buffer")
    origin = {a.var: index(0) for a in stage.axes if a.size == 1}
    kept = tuple(a for a in stage.axes if a.size != 1)
    stage, left, right = substituted(replace(stage, axes=kept), left, right, origin)
    for axis in stage.spatial:
        split = _split(axis, left)
        if split is not None:
            axes, value = split
            origin[axis.var] = value
            around = tuple(x for a in stage.axes for x in (axes if a is axis else (a,)))
            stage, left, right = substituted(replace(stage, axes=around), left, right, {axis.var: value})
    in_left, in_right = free_vars(left), free_vars(right)

    def having(of_left: bool, of_right: bool) -> tuple[Axis, ...]:
        return tuple(
            a
            for a in stage.spatial
            if (_among(a.var, in_left), _among(a.var, in_right)) == (of_left, of_right)
        )

    batch = having(True, True) + having(False, False)
    return Contraction(stage, left, right, having(True, False), having(False, True), batch, origin)


def _among(var: Var, variables: list[Var]) -> bool:
    return any(var.same_as(v) for v in variables)


def substituted(
    stage: Stage, left: Expr, right: Expr, values: Mapping[Var, Expr]
) -> tuple[Stage, Expr, Expr]:
    """Puts expressions of the stage's axes in the place of variables of a stage and its factors."""
    ranges = Ranges((a.var, 0, a.extent) for a in stage.axes)

    def moved(load: Any) -> Expr:
        return tir.BufferLoad(load.source, [ranges.simplify(i) for i in load.indices])

    indices = tuple(ranges.simplify(substitute(i, values)) for i in stage.indices)
    changed = replace(stage, indices=indices, value=substitute(stage.value, values))
    return changed, map_loads(substitute(left, values), moved), map_loads(substitute(right, values), moved)


def _split(axis: Axis, left: Expr) -> tuple[list[Axis], Expr] | None:
    """Splits an axis that the left factor has only as `axis // width` into groups and their members."""
    width = _group_width(left, axis.var)
    if width is None or axis.size is None or axis.size % width:
        return None
    groups, members = (
        Axis(variable("group"), index(axis.size // width)),
        Axis(variable("member"), index(width)),
    )
    parts = [a for a in (groups, members) if a.size != 1]
    if len(parts) == 1:
        return parts, parts[0].var
    return parts, groups.var * width + members.var


def _group_width(expr: Expr, var: Var) -> int | None:
    """Returns w if a variable occurs in an expression only as `var // w`."""
    widths: list[int | None] = []
    seen: list[Any] = []
    ffi.structural_walk(expr, [
        (tir.FloorDiv, lambda div: widths.append(number(div.b)) if div.a.same_as(var) else None),
        (tvm.ir.Var, lambda v: seen.append(v) if v.same_as(var) else None),
    ])  # fmt: skip
    return widths[0] if len(set(widths)) == 1 and len(seen) == len(widths) else None
