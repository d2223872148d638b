"""Logic on booleans."""

from __future__ import annotations

from edgekit.lowering.ledger import Value
from edgekit.lowering.op import Op
from edgekit.lowering.tflite.builder import TFLiteBuilder
from edgekit.lowering.tflite.table import lowers

_BUILTIN = {"And": "LOGICAL_AND", "Or": "LOGICAL_OR", "Xor": "NOT_EQUAL"}


@lowers("And", "Or", "Xor", since=7)
def logic(b: TFLiteBuilder, n: Op) -> Value:
    """And, Or, Xor -> LOGICAL_AND, LOGICAL_OR, NOT_EQUAL."""
    return b.binary(_BUILTIN[n.type], n.operand(0), n.operand(1))


@lowers("Not", since=1)
def logical_not(b: TFLiteBuilder, n: Op) -> Value:
    """Not -> LOGICAL_NOT."""
    return b.unary("LOGICAL_NOT", n.operand(0))
