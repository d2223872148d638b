"""Comparisons, tests of floats, and the choice between two operands."""

from __future__ import annotations

import numpy as np

from edgekit.lowering.ledger import Value
from edgekit.lowering.op import Op
from edgekit.lowering.tflite import float64
from edgekit.lowering.tflite.builder import TFLiteBuilder
from edgekit.lowering.tflite.formula import Term
from edgekit.lowering.tflite.integers import ARITHMETIC, signed_order
from edgekit.lowering.tflite.kernels import carried
from edgekit.lowering.tflite.movement import moved
from edgekit.lowering.tflite.table import lowers

_BUILTIN = {
    "Equal": "EQUAL",
    "Less": "LESS",
    "LessOrEqual": "LESS_EQUAL",
    "Greater": "GREATER",
    "GreaterOrEqual": "GREATER_EQUAL",
}
_SELECT = ("float32", "float64", "float16", "bfloat16", "int8", "uint8", "int16", "uint16", "int32",
           "uint32", "int64", "uint64", "bool")  # fmt: skip


@lowers("Less", "Greater", since=13)
@lowers("LessOrEqual", "GreaterOrEqual", since=16)
@lowers("Equal", since=13)
def comparison(b: TFLiteBuilder, n: Op) -> Value:
    """Equal, Less, ... -> EQUAL, LESS, ...; false where an operand is NaN."""
    operands = [n.operand(0), n.operand(1)]
    name = _BUILTIN[n.type]
    kernels = (*ARITHMETIC, "bool") if name == "EQUAL" else ARITHMETIC
    if operands[0].dtype == np.float64:
        return float64.compared(b, name, *operands)
    if operands[0].dtype == np.uint64:
        operands = [signed_order(b, v) for v in operands]
    return carried(b, operands, kernels, lambda x, y: b.binary(name, x, y), result=bool)


@lowers("IsNaN", since=9)
def is_nan(b: TFLiteBuilder, n: Op) -> Value:
    """IsNaN -> NOT_EQUAL of the operand with itself."""
    if n.operand(0).dtype == np.float64:
        return float64.is_nan(b, n.operand(0)).value
    return carried(b, [n.operand(0)], ("float32",), lambda x: b.binary("NOT_EQUAL", x, x), result=bool)


@lowers("IsInf", since=10)
def is_inf(b: TFLiteBuilder, n: Op) -> Value:
    """IsInf -> EQUAL with the infinities that count."""
    up, down = bool(n.attr("detect_positive", 1)), bool(n.attr("detect_negative", 1))
    if n.operand(0).dtype == np.float64:
        return float64.is_infinite(b, n.operand(0), up=up, down=down).value

    def test(v: Value) -> Value:
        x = Term(b, v)
        if up and down:
            return x.abs().equals(np.inf).value
        return (x.equals(np.inf) if up else x.equals(-np.inf) if down else x < -np.inf).value

    return carried(b, [n.operand(0)], ("float32",), test, result=bool)


@lowers("Where", since=9)
def where(b: TFLiteBuilder, n: Op) -> Value:
    """Where -> SELECT_V2."""
    condition = n.operand(0)
    return moved(b, [n.operand(1), n.operand(2)], _SELECT, lambda x, y: b.op("SELECT_V2", [condition, x, y]))
