"""Running sums and products."""

from __future__ import annotations

import numpy as np

from edgekit.lowering.ledger import Value
from edgekit.lowering.op import Op
from edgekit.lowering.tflite import float64
from edgekit.lowering.tflite.builder import TFLiteBuilder
from edgekit.lowering.tflite.integers import modular
from edgekit.lowering.tflite.movement import moved
from edgekit.lowering.tflite.table import lowers

_MAX_PRODUCT_ELEMENTS = 2**24
"""A running product multiplies out a square of the axis; beyond this it takes too much memory."""

_MAX_STEPS = 256


def _axis(n: Op, rank: int) -> int:
    return int(n.known(1, "axis").reshape(())) % rank


def _running_float64(b: TFLiteBuilder, n: Op, x: Value, name: str, identity: float) -> Value:
    """One op for each step: no kernel runs along an axis of float64."""
    axis = _axis(n, x.rank)
    length = x.shape[axis]
    if length is None or length > _MAX_STEPS:
        n.refuse(f"float64 along an axis of unknown length or of more than {_MAX_STEPS}", code="EK303")
    bounds = [[-1] * x.rank, [0] * x.rank]
    bounds[0][axis] = 1
    shape = tuple(1 if i == axis else d for i, d in enumerate(x.shape))
    parts = []
    for i in range(length):
        bounds[1][axis] = i
        operands = [x, b.ints(list(bounds[1])), b.ints(bounds[0])]
        parts.append(b.op("SLICE", operands, dtype=x.dtype, shape=shape))
    step = -1 if n.attr("reverse", 0) else 1
    exclusive = bool(n.attr("exclusive", 0))
    results = float64.running(b, parts[::step], name, identity, exclusive=exclusive)[::step]
    return moved(b, results, ("int64",), lambda *v: b.concat(v, axis))


@lowers("CumSum", since=11)
def cum_sum(b: TFLiteBuilder, n: Op) -> Value:
    """CumSum -> CUMSUM."""
    x = n.operand(0)
    if x.dtype == np.float64:
        return _running_float64(b, n, x, "ADD", 0)
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
    if x.dtype == np.float64:
        return _running_float64(b, n, x, "MUL", 1)
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
