"""Ops that keep the elements in order and change the shape, and those that change nothing."""

from __future__ import annotations

import math

import numpy as np

from edgekit.lowering.ledger import Value
from edgekit.lowering.op import Op
from edgekit.lowering.tflite import sizes as sz
from edgekit.lowering.tflite.builder import TFLiteBuilder
from edgekit.lowering.tflite.table import lowers


@lowers("Identity", since=1)
def identity(b: TFLiteBuilder, n: Op) -> Value:
    """Identity -> the operand itself."""
    return n.operand(0)


@lowers("Reshape", since=14)
def reshape(b: TFLiteBuilder, n: Op) -> Value:
    """Reshape -> RESHAPE; 0 copies a size, -1 is what is left."""
    x, target = n.operand(0), n.const(1)
    if target is None:
        return _reshape_at_run_time(b, n)
    copies = not n.attr("allowzero", 0)
    wanted = [int(d) for d in target.reshape(-1)]
    sizes = [sz.size_of(b, x, i) if d == 0 and copies else d for i, d in enumerate(wanted)]
    if -1 not in sizes:
        return sz.reshape(b, x, sizes)
    at = sizes.index(-1)
    rest = n.out_shape()[at]
    shape = tuple(rest if i == at else s for i, s in enumerate(sz.static(sizes)))
    if shape.count(None) <= 1:
        return b.reshape(x, shape)
    return b.reshape_to(x, sz.pack(b, sizes), shape)


def _reshape_at_run_time(b: TFLiteBuilder, n: Op) -> Value:
    x, target = n.operand(0), b.cast(n.operand(1), np.int32)
    shape = n.out_shape()
    if not n.attr("allowzero", 0):
        own = sz.sizes_of(b, x)[: len(shape)]
        own += [1] * (len(shape) - len(own))
        is_zero = b.binary("EQUAL", target, b.ints([0]))
        target = b.op("SELECT_V2", [is_zero, sz.pack(b, own), target])
    return b.reshape_to(x, target, shape)


@lowers("Flatten", since=13)
def flatten(b: TFLiteBuilder, n: Op) -> Value:
    """Flatten -> RESHAPE to the sizes before and from `axis`."""
    x = n.operand(0)
    axis = n.attr("axis", 1)
    axis = axis + x.rank if axis < 0 else axis
    halves = x.shape[:axis], x.shape[axis:]
    shape = tuple(None if None in half else math.prod(d for d in half if d is not None) for half in halves)
    if shape.count(None) <= 1 and 0 not in shape:
        return b.reshape(x, shape)
    sizes = sz.sizes_of(b, x)
    return sz.reshape(b, x, [sz.product(b, sizes[:axis]), sz.product(b, sizes[axis:])])


@lowers("Unsqueeze", since=13)
def unsqueeze(b: TFLiteBuilder, n: Op) -> Value:
    """Unsqueeze -> RESHAPE, or EXPAND_DIMS where several sizes are known only at run time."""
    x = n.operand(0)
    axes = n.known(1, "axes").reshape(-1)
    rank = x.rank + axes.size
    new = sorted(int(a) % rank for a in axes)
    if x.shape.count(None) <= 1 and 0 not in x.shape:
        left = iter(x.shape)
        return b.reshape(x, tuple(1 if i in new else next(left) for i in range(rank)))
    for axis in new:
        shape = (*x.shape[:axis], 1, *x.shape[axis:])
        x = b.op("EXPAND_DIMS", [x, b.ints(axis)], dtype=x.dtype, shape=shape)
    return x


@lowers("Squeeze", since=13)
def squeeze(b: TFLiteBuilder, n: Op) -> Value:
    """Squeeze -> RESHAPE, or SQUEEZE where several sizes are known only at run time."""
    x = n.operand(0)
    if n.input(1) is None and x.static_shape is None:
        n.refuse("which axes have length 1 is known only at run time", code="EK305")
    given = [i for i, d in enumerate(x.shape) if d == 1] if n.input(1) is None else n.known(1, "axes")
    axes = sorted(int(a) % x.rank for a in np.reshape(given, -1))
    shape = tuple(d for i, d in enumerate(x.shape) if i not in axes)
    if len(axes) == 0:
        return x
    if shape.count(None) <= 1 and 0 not in shape:
        return b.reshape(x, shape)
    return b.op("SQUEEZE", [x], {"squeeze_dims": axes}, dtype=x.dtype, shape=shape)
