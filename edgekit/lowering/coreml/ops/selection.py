"""Ops that find and sort elements: TopK, NonZero, Compress."""

from __future__ import annotations

import numpy as np

from edgekit.lowering.coreml import sizes as sz
from edgekit.lowering.coreml.builder import CoreMlBuilder
from edgekit.lowering.coreml.integers import in_order
from edgekit.lowering.coreml.table import lowers
from edgekit.lowering.ledger import Value
from edgekit.lowering.op import Op


@lowers("TopK", since=24)
def top_k(b: CoreMlBuilder, n: Op) -> tuple[Value, Value]:
    """TopK -> topk along the axis."""
    x, k = n.operand(0), int(n.known(1, "K").reshape(()))
    axis = int(n.attr("axis", -1)) % x.rank
    if k == 0:
        n.refuse("a result without elements", code="EK305")
    if x.dtype == np.uint32 and not b.interval(x).is_int32:
        order = in_order(b, x)
        _, places = _topk(b, order, k, axis, largest=bool(n.attr("largest", 1)))
        values = b.op("gather_along_axis", x=x, indices=places, axis=axis)
    else:
        values, places = _topk(b, x, k, axis, largest=bool(n.attr("largest", 1)))
    if x.dtype.kind in "iu":
        values = b.bounded(values, b.interval(x))
    return values, b.bounded(b.relabel(places, np.int64), sz.LENGTHS)


def _topk(b: CoreMlBuilder, x: Value, k: int, axis: int, *, largest: bool) -> tuple[Value, Value]:
    values, places = b.multi("topk", x=x, k=k, axis=axis, ascending=not largest, dtypes=[x.dtype, np.int32])
    return values, places


@lowers("NonZero", since=13)
def non_zero(b: CoreMlBuilder, n: Op) -> Value:
    """NonZero -> non_zero, whose rows are ONNX's columns."""
    x = n.operand(0)
    if x.rank == 0:
        n.refuse("a number; Core ML finds elements of tensors")
    places = b.op("non_zero", dtype=np.int64, x=x)
    return b.bounded(b.transpose(places, [1, 0]), sz.LENGTHS)


@lowers("Compress", since=11)
def compress(b: CoreMlBuilder, n: Op) -> Value:
    """Compress -> non_zero of the condition, gather."""
    x, condition = n.operand(0), n.operand(1)
    axis = n.attr("axis")
    if axis is None:
        x, axis = sz.reshape(b, x, [sz.product(b, sz.sizes_of(b, x))]), 0
    axis = int(axis) % x.rank
    if condition.data is not None:
        places = b.const(np.flatnonzero(condition.data), np.int32)
    else:
        found = b.op("non_zero", dtype=np.int32, x=condition)
        places = b.squeeze(found, [1])
    return b.moved(x, lambda v: b.op("gather", x=v, indices=places, axis=axis))
