"""Min and Max of any number of operands; NaN in any of them gives NaN."""

from __future__ import annotations

import functools

import numpy as np

from edgekit.lowering.ledger import Value
from edgekit.lowering.op import Op
from edgekit.lowering.tflite import float64
from edgekit.lowering.tflite.builder import TFLiteBuilder
from edgekit.lowering.tflite.integers import ordered
from edgekit.lowering.tflite.table import lowers

_BUILTIN = {"Max": "MAXIMUM", "Min": "MINIMUM"}


@lowers("Max", "Min", since=13)
def extremum(b: TFLiteBuilder, n: Op) -> Value:
    """Max, Min -> MAXIMUM, MINIMUM."""
    operands = [n.operand(i) for i in range(len(n.inputs))]
    name = _BUILTIN[n.type]
    if operands[0].dtype == np.float64:
        return functools.reduce(lambda x, y: float64.extremum(b, name, x, y), operands)
    return ordered(b, operands, lambda *v: functools.reduce(lambda x, y: nan_safe(b, name, x, y), v))


def nan_safe(b: TFLiteBuilder, name: str, x: Value, y: Value) -> Value:
    """MAXIMUM or MINIMUM that gives NaN where an operand is NaN.

    LiteRT gives the second operand where the first is NaN, and NaN where the second is: operands
    that cannot be NaN go first, and otherwise a NaN of the first is put back.
    """
    if x.dtype.kind != "f" or _is_number(x):
        return b.binary(name, x, y)
    if _is_number(y):
        return b.binary(name, y, x)
    is_nan = b.binary("NOT_EQUAL", x, x)
    return b.op("SELECT_V2", [is_nan, x, b.binary(name, x, y)])


def _is_number(x: Value) -> bool:
    return x.data is not None and not np.isnan(x.data).any()
