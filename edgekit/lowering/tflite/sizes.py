"""Arithmetic on sizes: folded where they are known when converting, emitted where they are not.

A size is an int or an int32 value of shape `(1,)`; a shape is a sequence of sizes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from edgekit.lowering.ledger import Shape, Value
from edgekit.lowering.tflite.builder import TFLiteBuilder
from edgekit.lowering.tflite.dialect import broadcast

Size = int | Value
"""An int, or an int32 value of shape `(1,)` computed at run time."""


def size_of(b: TFLiteBuilder, x: Value, axis: int) -> Size:
    """Returns the length of an axis."""
    known = x.shape[axis]
    if known is not None:
        return known
    return element(b, b.shape_of(x), axis % x.rank)


def sizes_of(b: TFLiteBuilder, x: Value) -> list[Size]:
    """Returns the lengths of all axes."""
    return [size_of(b, x, axis) for axis in range(x.rank)]


def element(b: TFLiteBuilder, vector: Value, index: int) -> Value:
    """Returns one element of a rank-1 value, as a rank-1 value of length 1."""
    if vector.data is not None:
        return b.const(vector.data[index : index + 1])
    bounds = [b.ints([index]), b.ints([1])]
    return b.op("SLICE", [vector, *bounds], dtype=vector.dtype, shape=(1,))


def pack(b: TFLiteBuilder, sizes: Sequence[Size]) -> Value:
    """Returns sizes as one int32 vector; a constant where all are known."""
    parts: list[Value] = []
    run: list[int] = []
    for size in sizes:
        if isinstance(size, int):
            run.append(size)
            continue
        parts += [b.ints(run)] if run else []
        run = []
        parts.append(size)
    parts += [b.ints(run)] if run or not parts else []
    return b.concat(parts, 0)


def static(sizes: Sequence[Size]) -> Shape:
    """Returns the shape that is known when converting."""
    return tuple(s if isinstance(s, int) else None for s in sizes)


def product(b: TFLiteBuilder, sizes: Sequence[Size]) -> Size:
    """Multiplies sizes."""
    known = math.prod(s for s in sizes if isinstance(s, int))
    result: Size = known
    for size in sizes:
        if isinstance(size, Value):
            result = size if result == 1 else combine(b, "MUL", result, size)
    return result


def combine(b: TFLiteBuilder, op: str, x: Size, y: Size) -> Size:
    """Computes `ADD`, `SUB`, `MUL`, `FLOOR_DIV`, `MINIMUM` or `MAXIMUM` of two sizes."""
    if isinstance(x, int) and isinstance(y, int):
        return _FOLD[op](x, y)
    return b.binary(op, _value(b, x), _value(b, y))


_FOLD: dict[str, Callable[[int, int], int]] = {
    "ADD": lambda x, y: x + y,
    "SUB": lambda x, y: x - y,
    "MUL": lambda x, y: x * y,
    "FLOOR_DIV": lambda x, y: x // y,
    "MINIMUM": min,
    "MAXIMUM": max,
}


def _value(b: TFLiteBuilder, size: Size) -> Value:
    return b.ints([size]) if isinstance(size, int) else size


def scalar(b: TFLiteBuilder, size: Size, dtype: type[np.generic] = np.int32) -> Value:
    """Returns a size as a rank-0 value."""
    if isinstance(size, int):
        return b.const(size, dtype)
    return b.cast(b.reshape(size, ()), dtype)


def reshape(b: TFLiteBuilder, x: Value, sizes: Sequence[Size]) -> Value:
    """Reshapes; one unknown size is left to TFLite, several are computed at run time."""
    shape = static(sizes)
    if shape.count(None) <= 1 and 0 not in shape:
        return b.reshape(x, shape)
    return b.reshape_to(x, pack(b, sizes), shape)


def iota(b: TFLiteBuilder, size: Size, dtype: type[np.generic] = np.int32) -> Value:
    """Returns `0, 1, ..., size - 1`."""
    if isinstance(size, int):
        return b.const(np.arange(size), dtype)
    bounds = [b.const(0, dtype), scalar(b, size, dtype), b.const(1, dtype)]
    return b.op("RANGE", bounds, dtype=dtype, shape=(None,))


def broadcast_to(b: TFLiteBuilder, x: Value, sizes: Sequence[Size]) -> Value:
    """Broadcasts to a shape that `x` broadcasts to."""
    shape = static(sizes)
    if shape == x.shape and None not in shape:
        return x
    return b.op("BROADCAST_TO", [x, pack(b, sizes)], dtype=x.dtype, shape=shape)


def broadcast_both(b: TFLiteBuilder, x: Value, y: Value) -> tuple[Value, Value]:
    """Broadcasts two operands against each other, for ops that do not do it themselves."""
    shape = broadcast(x.shape, y.shape)
    if None not in shape:
        sizes = [d for d in shape if d is not None]
        return broadcast_to(b, x, sizes), broadcast_to(b, y, sizes)
    common = b.op("BROADCAST_ARGS", [b.shape_of(x), b.shape_of(y)], dtype=np.int32, shape=(len(shape),))
    wide = [b.op("BROADCAST_TO", [v, common], dtype=v.dtype, shape=shape) for v in (x, y)]
    return wide[0], wide[1]
