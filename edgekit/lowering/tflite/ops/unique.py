"""Unique."""

from __future__ import annotations

import numpy as np

from edgekit.lowering.ledger import Value
from edgekit.lowering.op import Op
from edgekit.lowering.tflite import sizes as sz
from edgekit.lowering.tflite.builder import TFLiteBuilder
from edgekit.lowering.tflite.formula import Term
from edgekit.lowering.tflite.movement import moved
from edgekit.lowering.tflite.ops.selection import order_key, top_k
from edgekit.lowering.tflite.table import lowers

_GATHER = ("float32", "float16", "bfloat16", "int8", "uint8", "int16", "int32", "int64", "bool")
_MAX_COLUMNS = 64
"""Rows are sorted once for each column."""


@lowers("Unique", since=11)
def unique(b: TFLiteBuilder, n: Op) -> tuple[Value, ...]:
    """Unique -> rows sorted by TOPK_V2, and the places where a new one begins."""
    x, axis = n.operand(0), n.attr("axis")
    rows, rest = _rows(b, n, x, axis)
    keys = order_key(b, rows)
    order = _sorted(b, keys)
    begins = _begins(b, _picked(b, keys, order))
    places = b.reshape(b.op("WHERE", [begins], dtype=np.int64, shape=(None, 1)), (None,))
    places = b.cast(places, np.int32)
    first = _picked(b, order, places)
    running = b.op("CUMSUM", [b.cast(begins, np.int32), b.ints(0)])
    groups = _placed(b, (Term(b, running) - 1).value, order)
    counts = _gaps(b, places, sz.size_of(b, rows, 0))
    if not n.attr("sorted", 1):
        first, groups, counts = _by_appearance(b, first, groups, counts)
    result = _restored(b, _picked(b, rows, first), x, axis, rest)
    return result, *(b.cast(v, np.int64) for v in (first, groups, counts))


def _rows(b: TFLiteBuilder, n: Op, x: Value, axis: int | None) -> tuple[Value, list[sz.Size]]:
    """Brings what is compared into the rows of a matrix; returns the sizes of an entry too."""
    sizes = sz.sizes_of(b, x)
    if axis is None:
        return sz.reshape(b, x, [sz.product(b, sizes), 1]), []
    rest = [s for i, s in enumerate(sizes) if i != axis % x.rank]
    width = sz.product(b, rest)
    if not isinstance(width, int) or width > _MAX_COLUMNS:
        n.refuse(f"entries of more than {_MAX_COLUMNS} elements, or of a size known only at run time")
    front = b.transpose(x, _to_front(x, axis))
    return sz.reshape(b, front, [sizes[axis], width]), rest


def _to_front(x: Value, axis: int) -> list[int]:
    return [axis % x.rank, *(i for i in range(x.rank) if i != axis % x.rank)]


def _restored(b: TFLiteBuilder, rows: Value, x: Value, axis: int | None, rest: list[sz.Size]) -> Value:
    count = sz.size_of(b, rows, 0)
    if axis is None:
        return sz.reshape(b, rows, [count])
    back = [int(p) for p in np.argsort(_to_front(x, axis))]
    return b.transpose(sz.reshape(b, rows, [count, *rest]), back)


def _picked(b: TFLiteBuilder, x: Value, at: Value) -> Value:
    shape = (*at.shape, *x.shape[1:])
    return moved(b, [x], _GATHER, lambda v: b.op("GATHER", [v, at], {"axis": 0}, dtype=v.dtype, shape=shape))


def _sorted(b: TFLiteBuilder, keys: Value) -> Value:
    """Returns the numbers of the rows in ascending order: by the last column first, each sort keeps ties."""
    count = sz.size_of(b, keys, 0)
    order = sz.iota(b, count)
    width = keys.shape[1]
    assert width is not None
    for column in reversed(range(width)):
        bounds = [b.ints([0, column]), b.ints([-1, 1])]
        cut = b.op("SLICE", [keys, *bounds], dtype=keys.dtype, shape=(keys.shape[0], 1))
        key = _picked(b, b.reshape(cut, (keys.shape[0],)), order)
        _, taken = top_k(b, key, 0, count, largest=False)
        order = _picked(b, order, taken)
    return order


def _begins(b: TFLiteBuilder, rows: Value) -> Value:
    """Tells of each sorted row whether it differs from the one before."""
    count = sz.size_of(b, rows, 0)
    fewer = sz.combine(b, "SUB", count, 1)
    width = rows.shape[1]
    length = fewer if isinstance(fewer, int) else None
    size = sz.pack(b, [fewer, -1])
    before, after = (
        b.op("SLICE", [rows, b.ints([start, 0]), size], dtype=rows.dtype, shape=(length, width))
        for start in (0, 1)
    )
    differs = b.op("REDUCE_ANY", [b.binary("NOT_EQUAL", before, after), b.ints([1])], {"keep_dims": False})
    return b.concat([b.const([True], np.bool_), differs], 0)


def _placed(b: TFLiteBuilder, values: Value, at: Value) -> Value:
    """Inverts a permutation: `result[at[i]] = values[i]`."""
    column = b.op("EXPAND_DIMS", [at, b.ints(1)], dtype=np.int32, shape=(at.shape[0], 1))
    return b.op("SCATTER_ND", [column, values, b.shape_of(values)], dtype=np.int32, shape=values.shape)


def _gaps(b: TFLiteBuilder, places: Value, end: sz.Size) -> Value:
    bounds = [b.ints([1]), b.ints([-1])]
    later = b.op("SLICE", [places, *bounds], dtype=np.int32, shape=(None,))
    return b.binary("SUB", b.concat([later, sz.pack(b, [end])], 0), places)


def _by_appearance(
    b: TFLiteBuilder, first: Value, groups: Value, counts: Value
) -> tuple[Value, Value, Value]:
    """Orders the groups by their first row instead of their value."""
    count = sz.size_of(b, first, 0)
    ordered, order = top_k(b, first, 0, count, largest=False)
    rank = _placed(b, sz.iota(b, count), order)
    return ordered, _picked(b, rank, groups), _picked(b, counts, order)
