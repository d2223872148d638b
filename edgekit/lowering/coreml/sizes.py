"""Arithmetic on sizes: folded where they are known when converting, emitted where they are not.

A size is an int or an int32 value of shape `(1,)`; a shape is a sequence of sizes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from edgekit.lowering.coreml.bounds import Interval
from edgekit.lowering.coreml.builder import CoreMlBuilder
from edgekit.lowering.coreml.storage import stored_data
from edgekit.lowering.ledger import Shape, Value

Size = int | Value
"""An int, or an int32 value of shape `(1,)` computed at run time."""
LENGTHS = Interval(0, 2**31 - 1)


def size_of(b: CoreMlBuilder, x: Value, axis: int) -> Size:
    """Returns the length of an axis."""
    known = x.shape[axis]
    return element(b, b.shape_of(x), axis % x.rank) if known is None else known


def sizes_of(b: CoreMlBuilder, x: Value) -> list[Size]:
    """Returns the lengths of all axes."""
    return [size_of(b, x, axis) for axis in range(x.rank)]


def element(b: CoreMlBuilder, vector: Value, index: int) -> Value:
    """Returns one element of a rank-1 value, as a rank-1 value of length 1."""
    if vector.data is not None:
        return b.const(vector.data[index : index + 1])
    made = b.op("slice_by_size", x=vector, begin=[index], size=[1])
    return b.bounded(made, b.interval(vector)) if vector.dtype.kind in "iu" else made


def pack(b: CoreMlBuilder, sizes: Sequence[Size]) -> Value:
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


def product(b: CoreMlBuilder, sizes: Sequence[Size]) -> Size:
    """Multiplies sizes."""
    known = math.prod(s for s in sizes if isinstance(s, int))
    result: Size = known
    for size in sizes:
        if isinstance(size, Value):
            result = size if result == 1 else combine(b, "mul", result, size)
    return result


def combine(b: CoreMlBuilder, op: str, x: Size, y: Size) -> Size:
    """Computes `add`, `sub`, `mul`, `floor_div`, `minimum` or `maximum` of two sizes."""
    if isinstance(x, int) and isinstance(y, int):
        return _FOLD[op](x, y)
    return b.binary(op, value(b, x), value(b, y))


_FOLD: dict[str, Callable[[int, int], int]] = {
    "add": lambda x, y: x + y,
    "sub": lambda x, y: x - y,
    "mul": lambda x, y: x * y,
    "floor_div": lambda x, y: x // y,
    "minimum": min,
    "maximum": max,
}


def value(b: CoreMlBuilder, size: Size) -> Value:
    """Returns a size as an int32 value of shape `(1,)`."""
    return b.ints([size]) if isinstance(size, int) else size


def scalar(b: CoreMlBuilder, size: Size) -> Value:
    """Returns a size as an int32 value of rank 0."""
    return b.ints(size) if isinstance(size, int) else b.squeeze(size, [0])


def filled(b: CoreMlBuilder, number: Value, sizes: Sequence[Size]) -> Value:
    """Makes a tensor of one number (rank 0)."""
    shape = static(sizes)
    if number.data is not None and None not in shape:
        return b.const(np.full([int(s or 0) for s in shape], number.data.reshape(()), number.dtype))
    if number.data is not None:
        made = b.value(number.dtype, shape)
        b.emit("fill", {"shape": pack(b, sizes), "value": stored_data(number.data).reshape(())[()]}, [made])
        return made
    if not sizes:
        return number
    one = b.expand_rank(number, len(sizes))
    if None in shape:
        zeros = filled(b, b.number(-0.0 if number.dtype.kind == "f" else 0, number), sizes)
        return b.binary("add", one, zeros)
    return b.op("tile", x=one, reps=[int(s or 0) for s in shape])


def reshape(b: CoreMlBuilder, x: Value, sizes: Sequence[Size]) -> Value:
    """Reshapes to sizes of which any number may be known only at run time."""
    shape = static(sizes)
    if shape.count(None) <= 1:
        return b.reshape(x, shape)
    return b.reshape_to(x, pack(b, sizes), shape)
