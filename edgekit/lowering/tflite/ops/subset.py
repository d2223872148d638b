"""Ops whose result's size depends on the data: NonZero, Compress, Unique."""

from __future__ import annotations

import numpy as np

from edgekit.lowering.ledger import Value
from edgekit.lowering.op import Op
from edgekit.lowering.tflite import sizes as sz
from edgekit.lowering.tflite.builder import TFLiteBuilder
from edgekit.lowering.tflite.movement import bitcast, moved
from edgekit.lowering.tflite.table import lowers

_GATHER = ("float32", "float16", "bfloat16", "int8", "uint8", "int16", "int32", "int64", "bool")


def _places(b: TFLiteBuilder, mask: Value) -> Value:
    """Coordinates of the true elements in row-major order, int64, shape (count, rank)."""
    return b.op("WHERE", [mask], dtype=np.int64, shape=(None, mask.rank))


@lowers("NonZero", since=9)
def non_zero(b: TFLiteBuilder, n: Op) -> Value:
    """NonZero -> WHERE of what is not zero, one row per axis."""
    x = n.operand(0)
    if x.rank == 0:
        n.refuse("a scalar has no axes to count along")
    mask = b.cast(bitcast(b, x, np.int64) if x.dtype == np.uint64 else x, np.bool_)
    return b.transpose(_places(b, mask), (1, 0))


@lowers("Compress", since=9)
def compress(b: TFLiteBuilder, n: Op) -> Value:
    """Compress -> GATHER of the places where the condition holds; beyond its end it does not."""
    x, condition = n.operand(0), n.operand(1)
    axis = n.attr("axis")
    if axis is None:
        x, axis = sz.reshape(b, x, [sz.product(b, sz.sizes_of(b, x))]), 0
    axis %= x.rank
    places = b.reshape(_places(b, condition), (None,))
    shape = (*x.shape[:axis], None, *x.shape[axis + 1 :])
    return moved(
        b, [x], _GATHER, lambda v: b.op("GATHER", [v, places], {"axis": axis}, dtype=v.dtype, shape=shape)
    )
