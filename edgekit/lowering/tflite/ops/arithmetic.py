"""Elementwise arithmetic with broadcasting."""

from __future__ import annotations

from edgekit.lowering.ledger import Value
from edgekit.lowering.op import Op
from edgekit.lowering.tflite.builder import TFLiteBuilder
from edgekit.lowering.tflite.kernels import carried
from edgekit.lowering.tflite.table import lowers

_BUILTIN = {"Add": "ADD", "Sub": "SUB", "Mul": "MUL"}


@lowers("Add", "Sub", "Mul", since=14)
def arithmetic(b: TFLiteBuilder, n: Op) -> Value:
    """Add, Sub, Mul -> ADD, SUB, MUL; narrow integers are computed in int32 and wrap the same."""
    kernels = ("float32", "int32", "int64")
    operands = [n.operand(0), n.operand(1)]
    return carried(b, operands, kernels, lambda x, y: b.binary(_BUILTIN[n.type], x, y))
