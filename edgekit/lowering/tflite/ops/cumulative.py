"""Running sums and products."""

from __future__ import annotations

import numpy as np

from edgekit.lowering.ledger import Value
from edgekit.lowering.op import Op
from edgekit.lowering.tflite.builder import TFLiteBuilder
from edgekit.lowering.tflite.integers import modular
from edgekit.lowering.tflite.table import lowers

_MAX_PRODUCT_ELEMENTS = 2**24
"""A running product multiplies out a square of the axis; beyond this it takes too much memory."""


def _axis(n: Op, rank: int) -> int:
    return int(n.known(1, "axis").reshape(())) % rank


@lowers("CumSum", since=11)
def cum_sum(b: TFLiteBuilder, n: Op) -> Value:
    """CumSum -> CUMSUM."""
    x = n.operand(0)
    axis = b.ints(_axis(n, x.rank))
    attrs = {"exclusive": bool(n.attr("exclusive", 0)), "reverse": bool(n.attr("reverse", 0))}
    return modular(b, [x], lambda v: b.op("CUMSUM", [v, axis], attrs))


@lowers("CumProd", since=26)
def cum_prod(b: TFLiteBuilder, n: Op) -> Value:
    """CumProd -> REDUCE_PROD over a triangle: row i holds the elements up to i, and ones."""
    x = n.operand(0)
    axis = _axis(n, x.rank)
    length = x.shape[axis]
    if length is None:
        n.refuse("the running axis has a size known only at run time", code="EK305")
    if length * np.prod([d or 1 for d in x.shape], dtype=np.int64) > _MAX_PRODUCT_ELEMENTS:
        n.refuse(f"an axis of {length} elements would take too much memory")
    i, j = np.indices((length, length))
    strict = bool(n.attr("exclusive", 0))
    taken = (i - strict >= j) if not n.attr("reverse", 0) else (i + strict <= j)
    mask = b.const(taken.reshape(length, length, *(1,) * (x.rank - 1 - axis)))

    def multiply(v: Value) -> Value:
        rows = b.op(
            "EXPAND_DIMS", [v, b.ints(axis)], dtype=v.dtype, shape=(*v.shape[:axis], 1, *v.shape[axis:])
        )
        triangle = b.op("SELECT_V2", [mask, rows, b.scalar(1, v)])
        return b.op("REDUCE_PROD", [triangle, b.ints([axis + 1])], {"keep_dims": False})

    return modular(b, [x], multiply)
