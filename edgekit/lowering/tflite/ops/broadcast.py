"""Ops that repeat elements: Expand, Tile."""

from __future__ import annotations

import numpy as np

from edgekit.lowering.ledger import Value
from edgekit.lowering.op import Op
from edgekit.lowering.tflite import sizes as sz
from edgekit.lowering.tflite.builder import TFLiteBuilder
from edgekit.lowering.tflite.dialect import broadcast
from edgekit.lowering.tflite.table import lowers


@lowers("Expand", since=13)
def expand(b: TFLiteBuilder, n: Op) -> Value:
    """Expand -> BROADCAST_TO; both the operand and the shape may be the wider one."""
    x, wanted = n.operand(0), n.const(1)
    shape = n.out_shape()
    if wanted is not None:
        shape = broadcast(x.shape, tuple(int(d) for d in wanted))
        if None not in shape:
            return sz.broadcast_to(b, x, [d for d in shape if d is not None])
    own, target = b.shape_of(x), b.cast(n.operand(1), np.int32)
    sizes = b.op("BROADCAST_ARGS", [own, target], dtype=np.int32, shape=(len(shape),))
    return b.op("BROADCAST_TO", [x, sizes], dtype=x.dtype, shape=shape)


@lowers("Tile", since=13)
def tile(b: TFLiteBuilder, n: Op) -> Value:
    """Tile -> TILE."""
    x, repeats = n.operand(0), n.const(1)
    shape = n.out_shape()
    if repeats is not None:
        if (repeats == 1).all():
            return x
        shape = tuple(None if d is None else d * int(r) for d, r in zip(x.shape, repeats, strict=True))
    return b.op("TILE", [x, b.cast(n.operand(1), np.int32)], dtype=x.dtype, shape=shape)
