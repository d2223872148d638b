"""Ops that sort and select: TopK, NonZero, Compress, Unique."""

from __future__ import annotations

import numpy as np

from edgekit.lowering.ledger import Value
from edgekit.lowering.op import Op
from edgekit.lowering.tvm.builder import TVMBuilder
from edgekit.lowering.tvm.table import lowers
from edgekit.lowering.tvm.term import Term

_MAX_COLUMNS = 64
"""Rows with more elements are not compared."""


@lowers("TopK", since=11)
def top_k(b: TVMBuilder, n: Op) -> tuple[Value, Value]:
    """The largest or smallest elements of an axis, in order; the first of equals comes first."""
    x = n.operand(0)
    axis = n.attr("axis", -1) % x.rank
    keys = b.cast(x, np.float32) if x.dtype.name in ("float16", "bfloat16") else x
    attrs = {"axis": axis, "largest": bool(n.attr("largest", 1))}
    ranks = b.op("rank", [keys], attrs, dtype=np.int64, shape=x.shape)
    shape = n.out_shape(1)
    indices = b.op("invert", [ranks, n.operand(1)], {"axis": axis}, dtype=np.int64, shape=shape)
    values = b.op("gather_elements", [x, indices], {"axis": axis}, dtype=x.dtype, shape=shape)
    return values, indices


def places_of(b: TVMBuilder, mask: Value) -> Value:
    """Returns the places of the true elements of a flat mask."""
    counts = b.op("running_count", [mask], dtype=np.int64, shape=mask.shape)
    total = b.op("last", [counts], dtype=np.int64, shape=(1,))
    return b.op("places", [mask, counts, total], dtype=np.int64, shape=(None,))


def flat(b: TVMBuilder, x: Value) -> Value:
    """Returns all elements of a value as a vector."""
    size = None if x.static_shape is None else int(np.prod(x.static_shape, dtype=np.int64))
    return x if x.rank == 1 else b.op("flat", [x], dtype=x.dtype, shape=(size,))


@lowers("NonZero", since=9)
def non_zero(b: TVMBuilder, n: Op) -> Value:
    """Coordinates of what is not zero, one row per axis."""
    x = n.operand(0)
    if x.rank == 0:
        n.refuse("a scalar has no axes to count along")
    found = places_of(b, flat(b, b.cast(x, np.bool_)))
    return b.op("unravel", [found, x], dtype=np.int64, shape=(x.rank, None))


@lowers("Compress", since=9)
def compress(b: TVMBuilder, n: Op) -> Value:
    """What the condition marks along an axis, or of all elements; beyond its end nothing is marked."""
    x, axis = n.operand(0), n.attr("axis")
    if axis is None:
        x, axis = flat(b, x), 0
    axis %= x.rank
    found = places_of(b, n.operand(1))
    shape = (*x.shape[:axis], None, *x.shape[axis + 1 :])
    return b.op("gather", [x, found], {"axis": axis}, dtype=x.dtype, shape=shape)


@lowers("Unique", since=11)
def unique(b: TVMBuilder, n: Op) -> tuple[Value, ...]:
    """Distinct elements or slices, where each comes first, to which each belongs, how often it comes."""
    x, axis = n.operand(0), n.attr("axis")
    front = x if axis is None else b.transpose(x, _to_front(x.rank, axis))
    rows = _rows(b, n, front, axis)
    count = rows.shape[0]
    if count is None:
        n.refuse("the number of elements is known only at run time", code="EK305")
    order = _inverse(b, b.op("row_rank", [rows], dtype=np.int64, shape=(count,)), count)
    ordered = _picked(b, rows, order)
    begins = b.op("row_differs", [ordered], dtype=np.bool_, shape=(count,))
    running = b.op("running_count", [begins], dtype=np.int64, shape=(count,))
    starts = places_of(b, begins)
    first = _picked(b, order, starts)
    groups = _picked(b, (Term(b, running) - 1).value, _inverse(b, order, count))
    counts = _lengths(b, starts, count)
    if not n.attr("sorted", 1):
        rank = b.op("rank", [first], {"axis": 0, "largest": False}, dtype=np.int64, shape=(None,))
        sizes = b.op("shape_of", [first], {"start": 0, "end": 1}, dtype=np.int64, shape=(1,))
        place = b.op("invert", [rank, sizes], {"axis": 0}, dtype=np.int64, shape=(None,))
        first, counts, groups = _picked(b, first, place), _picked(b, counts, place), _picked(b, rank, groups)
    if axis is None:
        return _picked(b, flat(b, x), first), first, groups, counts
    shape = (*x.shape[: axis % x.rank], None, *x.shape[axis % x.rank + 1 :])
    taken = b.op("gather", [x, first], {"axis": axis % x.rank}, dtype=x.dtype, shape=shape)
    return taken, first, groups, counts


def _to_front(rank: int, axis: int) -> list[int]:
    return [axis % rank, *(i for i in range(rank) if i != axis % rank)]


def _rows(b: TVMBuilder, n: Op, front: Value, axis: int | None) -> Value:
    """Brings what is compared into the rows of a matrix."""
    if front.static_shape is None:
        n.refuse("the number of elements is known only at run time", code="EK305")
    total = int(np.prod(front.static_shape, dtype=np.int64))
    count = total if axis is None else front.static_shape[0]
    width = 1 if axis is None else total // max(1, count)
    if width > _MAX_COLUMNS:
        n.refuse(f"entries of more than {_MAX_COLUMNS} elements")
    rows = b.reshape(front, (count, width))
    return b.cast(rows, np.float32) if rows.dtype.name in ("float16", "bfloat16") else (
        b.cast(rows, np.uint8) if rows.dtype == np.bool_ else rows
    )  # fmt: skip


def _inverse(b: TVMBuilder, permutation: Value, count: int) -> Value:
    operands = [permutation, b.ints([count])]
    return b.op("invert", operands, {"axis": 0}, dtype=np.int64, shape=(count,))


def _picked(b: TVMBuilder, x: Value, at: Value) -> Value:
    return b.op("gather", [x, at], {"axis": 0}, dtype=x.dtype, shape=(*at.shape, *x.shape[1:]))


def _lengths(b: TVMBuilder, starts: Value, count: int) -> Value:
    """Returns the distance of each start to the next, and of the last to the end."""
    return b.op("gaps", [starts, b.scalar(count, starts)], dtype=np.int64, shape=(None,))
