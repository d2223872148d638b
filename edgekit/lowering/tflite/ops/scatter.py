"""The Scatter family, all as rows of a matrix."""

from __future__ import annotations

import numpy as np

from edgekit.lowering.ledger import Value
from edgekit.lowering.op import Op
from edgekit.lowering.tflite import sizes as sz
from edgekit.lowering.tflite.builder import TFLiteBuilder
from edgekit.lowering.tflite.formula import Term
from edgekit.lowering.tflite.indices import from_front
from edgekit.lowering.tflite.scatter import scatter_rows
from edgekit.lowering.tflite.table import lowers


@lowers("ScatterND", since=16)
def scatter_nd(b: TFLiteBuilder, n: Op) -> Value:
    """ScatterND -> rows numbered by their coordinates."""
    data, indices, updates = n.operand(0), n.operand(1), n.operand(2)
    depth = indices.shape[-1]
    if depth is None:
        n.refuse("how many coordinates an index has is known only at run time", code="EK305")
    sizes = sz.sizes_of(b, data)
    places = from_front(b, indices, sizes[:depth])
    rows = _row_numbers(b, b.cast(places, np.int32), sizes[:depth])
    height, width = sz.product(b, sizes[:depth]), sz.product(b, sizes[depth:])
    matrix = sz.reshape(b, data, [height, width])
    count = sz.product(b, sz.sizes_of(b, indices)[:-1])
    changes = sz.reshape(b, updates, [count, width])
    result = scatter_rows(b, n, matrix, rows, changes, n.attr("reduction", "none"))
    return sz.reshape(b, result, sizes)


def _row_numbers(b: TFLiteBuilder, places: Value, sizes: list[sz.Size]) -> Value:
    """Numbers coordinates in row-major order; shape (n,)."""
    strides = [sz.product(b, sizes[i + 1 :]) for i in range(len(sizes))]
    flat = sz.reshape(b, places, [sz.product(b, sz.sizes_of(b, places)[:-1]), len(sizes)])
    steps = sz.pack(b, strides)
    if flat.data is not None and steps.data is not None:
        return b.const((flat.data * steps.data).sum(1), np.int32)
    terms = b.binary("MUL", flat, steps)
    return b.op("SUM", [terms, b.ints([1])], {"keep_dims": False})


@lowers("ScatterElements", since=16)
@lowers("Scatter", since=11)
def scatter_elements(b: TFLiteBuilder, n: Op) -> Value:
    """ScatterElements -> single elements, numbered by their own places but for one axis."""
    data, indices, updates = n.operand(0), n.operand(1), n.operand(2)
    axis = n.attr("axis", 0) % data.rank
    sizes, counts = sz.sizes_of(b, data), sz.sizes_of(b, indices)
    along = b.cast(from_front(b, indices, sizes[axis]), np.int32)
    number = Term(b, _scaled(b, along, sz.product(b, sizes[axis + 1 :])))
    for i, count in enumerate(counts):
        if i != axis:
            place = sz.reshape(b, sz.iota(b, count), [count, *(1,) * (data.rank - 1 - i)])
            number = _sum(number, Term(b, _scaled(b, place, sz.product(b, sizes[i + 1 :]))))
    total = sz.product(b, sizes)
    rows = sz.reshape(b, number.value, [sz.product(b, counts)])
    matrix = sz.reshape(b, data, [total, 1])
    changes = sz.reshape(b, updates, [sz.product(b, counts), 1])
    result = scatter_rows(b, n, matrix, rows, changes, n.attr("reduction", "none"))
    return sz.reshape(b, result, sizes)


def _scaled(b: TFLiteBuilder, x: Value, stride: sz.Size) -> Value:
    if stride == 1:
        return x
    if x.data is not None and isinstance(stride, int):
        return b.const(x.data * stride, np.int32)
    return b.binary("MUL", x, b.ints([stride]) if isinstance(stride, int) else stride)


def _sum(x: Term, y: Term) -> Term:
    if x.value.data is not None and y.value.data is not None:
        return Term(x.b, x.b.const(x.value.data + y.value.data, np.int32))
    return x + y


@lowers("TensorScatter", since=24)
def tensor_scatter(b: TFLiteBuilder, n: Op) -> Value:
    """TensorScatter -> rows of a cache replaced from a position on, around the end if circular."""
    cache, update = n.operand(0), n.operand(1)
    axis = n.attr("axis", -2) % cache.rank
    sizes, length = sz.sizes_of(b, cache), sz.size_of(b, update, axis)
    count = sz.product(b, sizes[:axis])
    inner = sz.product(b, sizes[axis + 1 :])
    steps = Term(b, sz.reshape(b, sz.iota(b, length), [1, length]))
    start = _starts(b, n, sizes, axis, count)
    end = sz.combine(b, "ADD", 0, sizes[axis])
    at = start + steps
    if n.attr("mode", "linear") == "circular":
        at = Term(b, b.binary("FLOOR_MOD", at.value, sz.scalar(b, end)))
    base = Term(b, sz.reshape(b, sz.iota(b, count), [count, 1])) * Term(b, sz.scalar(b, end))
    rows = sz.reshape(b, (base + at).value, [sz.product(b, [count, length])])
    matrix = sz.reshape(b, cache, [sz.product(b, [count, sizes[axis]]), inner])
    changes = sz.reshape(b, update, [sz.product(b, [count, length]), inner])
    return sz.reshape(b, scatter_rows(b, n, matrix, rows, changes, "none"), sizes)


def _starts(b: TFLiteBuilder, n: Op, sizes: list[sz.Size], axis: int, count: sz.Size) -> Term:
    """The first position of each row of the flattened leading axes; shape (count, 1)."""
    given = n.input(2)
    if given is None:
        return Term(b, b.const([[0]], np.int32))
    batch = sz.size_of(b, given, 0)
    each = sz.product(b, sizes[1:axis])
    column = sz.reshape(b, b.cast(given, np.int32), [batch, 1])
    return Term(b, sz.reshape(b, sz.broadcast_to(b, column, [batch, each]), [count, 1]))
