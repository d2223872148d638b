"""Convolutions and products of matrices: a tile of the result stays in registers while it is summed."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from edgekit.lowering.tvm.adapter import Expr, tir
from edgekit.lowering.tvm.schedule.expr import Stmt, Var, index, loads, map_loads, substitute
from edgekit.lowering.tvm.schedule.nest import (
    Loop,
    nested,
    sequence,
    serial,
    tile_start,
    tiles,
    unrolled,
    variable,
    vectorized,
    worth_threads,
)
from edgekit.lowering.tvm.schedule.pairs import Pairs
from edgekit.lowering.tvm.schedule.plan import Packed, Plan, plan_of, sum_order
from edgekit.lowering.tvm.schedule.rules.table import Scheduled, Task, rule
from edgekit.lowering.tvm.schedule.stage import Declined


@rule("contraction", order=10)
def contraction(task: Task) -> Scheduled | Declined:
    """Tiles a sum of products; the right factor is packed unless its lanes lie side by side."""
    plan = plan_of(task)
    if isinstance(plan, Declined):
        return plan
    body, stages, packed = _loops(plan), 1 + plan.end.stages, plan.packed
    if packed is None:
        return Scheduled(body, stages)
    if packed.parameter is not None:
        return Scheduled(body, stages, {packed.parameter: (packed.buffer, packed.plan)})
    return Scheduled(sequence([_packing(plan, packed), body]), stages, buffers=(packed.buffer,))


def _loops(plan: Plan) -> Stmt:
    """Writes the loops over tiles."""
    sums, tile = plan.sums, plan.tile
    block, start = variable("block"), variable("tile")
    outer = [a for a in sums.stage.spatial if a is not plan.lane and a is not plan.row]
    shared = [Loop(a.var, a.extent) for a in outer if any(a is b for b in sums.batch)]
    other = [Loop(a.var, a.extent) for a in outer if not any(a is b for b in sums.batch)]
    if plan.row is not None:
        other.append(Loop(start, tiles(plan.row.size or 1, tile.rows)))
    columns = Loop(block, tiles(plan.lane.size or 1, tile.width))
    order = [*shared, columns, *other] if plan.columns_first else [*shared, *other, columns]
    return nested(order, _tile(plan, start, block), threads=worth_threads(sums.stage.axes))


def _tile(plan: Plan, start: Var, block: Var) -> Stmt:
    """Writes the sums of one tile and what follows them."""
    sums, tile = plan.sums, plan.tile
    shape = [index(tile.rows), index(tile.vectors), index(tile.lanes)]
    acc = tir.decl_buffer(shape, sums.stage.buffer.ty.dtype, "acc", scope="local")
    each = partial(_each, plan)

    def places(at: list[Expr]) -> dict[Var, Expr]:
        column = tile_start(block, plan.lane.size or 1, tile.width) + at[1] * tile.lanes + at[2]
        found = {plan.lane.var: column}
        if plan.row is not None:
            found[plan.row.var] = tile_start(start, plan.row.size or 1, tile.rows) + at[0]
        return found

    def right(at: list[Expr]) -> Expr:
        if plan.packed is None:
            return substitute(sums.right, places(at))
        around = [*(a.var for a in plan.packed.outer), block, *(a.var for a in sum_order(sums))]
        read = tir.BufferLoad(plan.packed.buffer, [*around, at[1] * tile.lanes + at[2]])
        return read if plan.packed.value is sums.right else map_loads(sums.right, lambda _: read)

    def add(at: list[Expr]) -> Stmt:
        product = substitute(sums.left, places(at)) * right(at)
        return tir.BufferStore(acc, tir.BufferLoad(acc, at) + product, at)

    order = sum_order(sums)
    if plan.packed is not None and plan.packed.plan.paired:
        steps = _pairs(plan, acc, places, partial(right, [index(0)] * 3))
        order, last = order[:-1], order[-1]
        steps = serial(last.var, (last.size or 0) // 2, steps)
    else:
        steps = each(add)
    for axis in reversed(order):
        steps = serial(axis.var, axis.extent, steps)
    return sequence(
        [
            tir.AllocBuffer(acc),
            each(lambda at: tir.BufferStore(acc, sums.stage.init, at)),
            steps,
            each(lambda at: plan.end.store(tir.BufferLoad(acc, at), places(at))),
        ]
    )


def _pairs(
    plan: Plan, acc: Var, places: Callable[[list[Expr]], dict[Var, Expr]], right: Callable[[], Expr]
) -> Stmt:
    """Writes a step of a sum that takes two products at once."""
    tile = plan.tile
    pairs = Pairs(plan.sums.left, sum_order(plan.sums)[-1], tile.lanes)
    weights = loads(right())[0]

    def one(r: Expr, v: Expr) -> Stmt:
        return pairs.add(acc, [r, v], weights, v * (2 * tile.lanes), places([r, v, index(0)]))

    return unrolled(tile.rows, lambda r: unrolled(tile.vectors, lambda v: one(r, v), "vector"), "row")


def _each(plan: Plan, write: Callable[[list[Expr]], Stmt]) -> Stmt:
    """Writes a statement for every element of a tile."""
    tile = plan.tile

    def row(r: Expr) -> Stmt:
        return unrolled(tile.vectors, partial(vector, r), "vector")

    def vector(r: Expr, v: Expr) -> Stmt:
        return vectorized(tile.lanes, lambda lane: write([r, v, lane]))

    return unrolled(tile.rows, row, "row")


def _packing(plan: Plan, packed: Packed) -> Stmt:
    """Writes the copy of a right factor that is no constant into its packed form."""
    block, place = variable("block"), variable("place")
    inner = sum_order(plan.sums)
    start = tile_start(block, plan.lane.size or 1, plan.tile.width)
    value = substitute(packed.value, {plan.lane.var: start + place})
    indices = [*(a.var for a in packed.outer), block, *(a.var for a in inner), place]
    loops = [
        *(Loop(a.var, a.extent) for a in packed.outer),
        Loop(block, packed.plan.blocks),
        *(Loop(a.var, a.extent) for a in inner),
        Loop(place, plan.tile.width),
    ]
    return nested(
        loops, tir.BufferStore(packed.buffer, value, indices), threads=worth_threads(plan.sums.stage.axes)
    )
