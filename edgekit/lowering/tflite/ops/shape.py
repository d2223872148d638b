"""Ops that read shapes: Shape, Size."""

from __future__ import annotations

import numpy as np

from edgekit.lowering.ledger import Value
from edgekit.lowering.op import Op
from edgekit.lowering.tflite.builder import TFLiteBuilder
from edgekit.lowering.tflite.table import lowers


@lowers("Shape", since=15)
def shape(b: TFLiteBuilder, n: Op) -> Value:
    """Shape -> SHAPE, or a constant where the sizes are known."""
    x = n.operand(0)
    wanted = slice(n.attr("start", 0), n.attr("end"))
    begin, end, _ = wanted.indices(x.rank)
    known = x.shape[wanted]
    if None not in known:
        return b.const(known, np.int64)
    sizes = b.shape_of(x, np.int64)
    if end - begin == x.rank:
        return sizes
    bounds = [b.ints([begin]), b.ints([end - begin])]
    return b.op("SLICE", [sizes, *bounds], dtype=np.int64, shape=(end - begin,))


@lowers("Size", since=13)
def size(b: TFLiteBuilder, n: Op) -> Value:
    """Size -> the product of SHAPE, or a constant where the sizes are known."""
    x = n.operand(0)
    if x.static_shape is not None:
        return b.const(np.prod(x.static_shape, dtype=np.int64))
    return b.op("REDUCE_PROD", [b.shape_of(x, np.int64), b.ints([0])], {"keep_dims": False})
