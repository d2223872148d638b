"""The Gather family. Negative indices count from the end; LiteRT takes only those from the front."""

from __future__ import annotations

import numpy as np

from edgekit.lowering.ledger import Value
from edgekit.lowering.op import Op
from edgekit.lowering.tflite import sizes as sz
from edgekit.lowering.tflite.builder import TFLiteBuilder
from edgekit.lowering.tflite.indices import from_front
from edgekit.lowering.tflite.movement import moved
from edgekit.lowering.tflite.table import lowers

_KERNELS = ("float32", "float16", "bfloat16", "int8", "uint8", "int16", "int32", "int64", "bool")


@lowers("Gather", since=13)
def gather(b: TFLiteBuilder, n: Op) -> Value:
    """Gather -> GATHER."""
    x, indices = n.operand(0), n.operand(1)
    axis = n.attr("axis", 0) % x.rank
    shape = (*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :])
    at = from_front(b, indices, sz.size_of(b, x, axis))
    return moved(
        b, [x], _KERNELS, lambda v: b.op("GATHER", [v, at], {"axis": axis}, dtype=v.dtype, shape=shape)
    )


@lowers("GatherElements", since=13)
def gather_elements(b: TFLiteBuilder, n: Op) -> Value:
    """GatherElements -> GATHER with the axis last and all other axes as batch."""
    x, indices = n.operand(0), n.operand(1)
    axis = n.attr("axis", 0) % x.rank
    at = from_front(b, indices, sz.size_of(b, x, axis))
    last = [*(i for i in range(x.rank) if i != axis), axis]

    def pick(v: Value) -> Value:
        rows = _rows(b, b.transpose(_cut(b, v, indices, axis), last))
        places = b.transpose(at, last)
        attrs = {"axis": 1, "batch_dims": 1}
        flat = _rows(b, places)
        picked = b.op("GATHER", [rows, flat], attrs, dtype=v.dtype, shape=flat.shape)
        back = sz.reshape(b, picked, sz.sizes_of(b, places))
        return b.transpose(back, [int(p) for p in np.argsort(last)])

    return moved(b, [x], _KERNELS, pick)


def _cut(b: TFLiteBuilder, x: Value, indices: Value, axis: int) -> Value:
    """Indices may cover only the first part of the other axes."""
    same = all(
        i == axis or d == k is not None for i, (d, k) in enumerate(zip(x.shape, indices.shape, strict=True))
    )
    if same:
        return x
    sizes = sz.sizes_of(b, indices)
    sizes[axis] = sz.size_of(b, x, axis)
    begin = b.ints([0] * x.rank)
    return b.op("SLICE", [x, begin, sz.pack(b, sizes)], dtype=x.dtype, shape=sz.static(sizes))


def _rows(b: TFLiteBuilder, x: Value) -> Value:
    """Merges all axes but the last: rank 2."""
    sizes = sz.sizes_of(b, x)
    return sz.reshape(b, x, [sz.product(b, sizes[:-1]), sizes[-1]])


@lowers("GatherND", since=13)
def gather_nd(b: TFLiteBuilder, n: Op) -> Value:
    """GatherND -> GATHER_ND; batch axes become one more coordinate."""
    x, indices = n.operand(0), n.operand(1)
    batch = n.attr("batch_dims", 0)
    depth = indices.shape[-1]
    if depth is None:
        n.refuse("how many coordinates an index has is known only at run time", code="EK305")
    at = from_front(b, indices, sz.sizes_of(b, x)[batch : batch + depth])
    shape = (*indices.shape[:-1], *x.shape[batch + depth :])

    def pick(v: Value) -> Value:
        if batch == 0:
            return b.op("GATHER_ND", [v, at], dtype=v.dtype, shape=shape)
        return _batched(b, v, at, batch)

    return moved(b, [x], _KERNELS, pick)


def _batched(b: TFLiteBuilder, x: Value, at: Value, batch: int) -> Value:
    sizes, places = sz.sizes_of(b, x), sz.sizes_of(b, at)
    count, each = sz.product(b, sizes[:batch]), sz.product(b, places[batch:-1])
    flat = sz.reshape(b, x, [count, *sizes[batch:]])
    rows = sz.reshape(b, at, [count, each, places[-1]])
    number = sz.reshape(b, sz.iota(b, count, at.dtype.type), [count, 1, 1])
    number = sz.broadcast_to(b, number, [count, each, 1])
    full = b.concat([number, rows], 2)
    rest = sizes[batch + int(places[-1]) :] if isinstance(places[-1], int) else []
    shape = (*full.shape[:2], *sz.static(rest))
    picked = b.op("GATHER_ND", [flat, full], dtype=x.dtype, shape=shape)
    return sz.reshape(b, picked, [*places[:-1], *rest])
