"""Comparisons, logic and selection."""

from __future__ import annotations

import numpy as np

from edgekit.lowering.coreml.builder import CoreMlBuilder
from edgekit.lowering.coreml.integers import in_order
from edgekit.lowering.coreml.table import lowers
from edgekit.lowering.ledger import Value
from edgekit.lowering.op import Op

_ORDER = {
    "Greater": "greater",
    "GreaterOrEqual": "greater_equal",
    "Less": "less",
    "LessOrEqual": "less_equal",
    "Equal": "equal",
}
_LOGIC = {"And": "logical_and", "Or": "logical_or", "Xor": "logical_xor"}


@lowers("Greater", "Less", since=13)
@lowers("GreaterOrEqual", "LessOrEqual", since=16)
@lowers("Equal", since=19)
def compare(b: CoreMlBuilder, n: Op) -> Value:
    """Comparisons -> those of MIL; bools as int32."""
    x, y = n.operand(0), n.operand(1)
    if x.dtype == np.bool_:
        x, y = b.cast(x, np.int32), b.cast(y, np.int32)
    if n.type != "Equal":
        x, y = in_order(b, x), in_order(b, y)
    return b.binary(_ORDER[n.type], x, y)


@lowers("And", "Or", "Xor", since=7)
def logic(b: CoreMlBuilder, n: Op) -> Value:
    """And, Or, Xor -> logical_and, logical_or, logical_xor."""
    return b.binary(_LOGIC[n.type], n.operand(0), n.operand(1))


@lowers("Where", since=16)
def where(b: CoreMlBuilder, n: Op) -> Value:
    """Where -> select."""
    x, y = n.operand(1), n.operand(2)
    made = b.select(n.operand(0), x, y)
    return b.bounded(made, b.interval(x).union(b.interval(y))) if x.dtype.kind in "iu" else made
