"""Joining and splitting along an axis."""

from __future__ import annotations

from collections.abc import Sequence

from edgekit.lowering.ledger import Shape, Value
from edgekit.lowering.op import Op
from edgekit.lowering.tflite import sizes as sz
from edgekit.lowering.tflite.builder import TFLiteBuilder
from edgekit.lowering.tflite.movement import bit_carrier, bitcast, moved
from edgekit.lowering.tflite.table import lowers

_CONCAT = ("float32", "float16", "bfloat16", "int8", "uint8", "int16", "int32", "uint32", "int64", "bool")
_SPLIT = ("float32", "int8", "uint8", "int16", "int32", "int64")
_MAX_RANK = 6
"""XNNPACK, which takes these ops over for float32, refuses more axes."""


@lowers("Concat", since=13)
def concat(b: TFLiteBuilder, n: Op) -> Value:
    """Concat -> CONCATENATION."""
    values = [n.operand(i) for i in range(len(n.inputs))]
    axis = n.attr("axis") % values[0].rank

    def join(*parts: Value) -> Value:
        if parts[0].rank <= _MAX_RANK:
            return b.concat(parts, axis)
        joined = b.concat([_folded(b, p, axis) for p in parts], 1)
        return _unfolded(b, joined, parts[0], axis, n.out_shape()[axis])

    return moved(b, values, _CONCAT, join)


@lowers("Split", since=18)
def split(b: TFLiteBuilder, n: Op) -> tuple[Value, ...]:
    """Split -> SPLIT for equal parts, SPLIT_V for others, SLICE where sizes are known at run time."""
    x = n.operand(0)
    axis = n.attr("axis", 0) % x.rank
    count = len(n.node.outputs)
    if count == 1:
        return (x,)
    carrier = bit_carrier(x.dtype, _SPLIT)
    narrow = bitcast(b, x, carrier)
    folded = narrow if x.rank <= _MAX_RANK else _folded(b, narrow, axis)
    at = axis if x.rank <= _MAX_RANK else 1
    lengths = _lengths(n, x.shape[axis], count)
    parts = _slices(b, folded, at, count) if lengths is None else _split(b, folded, at, lengths)
    if folded is not narrow:
        parts = [_unfolded(b, p, x, axis, p.shape[1]) for p in parts]
    return tuple(bitcast(b, p, x.dtype) for p in parts)


def _lengths(n: Op, size: int | None, count: int) -> list[int] | None:
    """Returns the length of each part, or `None` where it follows from a size at run time."""
    if n.input(1) is not None:
        return [int(s) for s in n.known(1, "split")]
    if size is None:
        return None
    chunk = -(-size // count)  # the last part is what is left
    return [min(chunk, size - i * chunk) for i in range(count)]


def _split(b: TFLiteBuilder, x: Value, axis: int, lengths: Sequence[int]) -> list[Value]:
    results = [(x.dtype, _resized(x.shape, axis, length)) for length in lengths]
    count = {"num_splits": len(lengths)}
    if len(set(lengths)) == 1:
        return list(b.multi("SPLIT", [b.ints(axis), x], results, count))
    return list(b.multi("SPLIT_V", [x, b.ints(list(lengths)), b.ints(axis)], results, count))


def _slices(b: TFLiteBuilder, x: Value, axis: int, count: int) -> list[Value]:
    sizes = sz.sizes_of(b, x)
    total = sizes[axis]
    chunk = sz.combine(b, "FLOOR_DIV", sz.combine(b, "ADD", total, count - 1), count)
    parts = []
    for i in range(count):
        begin = sz.combine(b, "MUL", chunk, i)
        length = sz.combine(b, "MINIMUM", chunk, sz.combine(b, "SUB", total, begin))
        starts: list[sz.Size] = [begin if k == axis else 0 for k in range(x.rank)]
        lengths = [length if k == axis else s for k, s in enumerate(sizes)]
        bounds = [sz.pack(b, starts), sz.pack(b, lengths)]
        parts.append(b.op("SLICE", [x, *bounds], dtype=x.dtype, shape=sz.static(lengths)))
    return parts


def _resized(shape: Shape, axis: int, length: int | None) -> Shape:
    return (*shape[:axis], length, *shape[axis + 1 :])


def _folded(b: TFLiteBuilder, x: Value, axis: int) -> Value:
    """Merges the axes before and after one axis: rank 3."""
    sizes = sz.sizes_of(b, x)
    return sz.reshape(b, x, [sz.product(b, sizes[:axis]), sizes[axis], sz.product(b, sizes[axis + 1 :])])


def _unfolded(b: TFLiteBuilder, x: Value, like: Value, axis: int, length: int | None) -> Value:
    """Undoes `_folded` with another length of the axis."""
    sizes = sz.sizes_of(b, like)
    sizes[axis] = sz.size_of(b, x, 1) if length is None else length
    return sz.reshape(b, x, sizes)
