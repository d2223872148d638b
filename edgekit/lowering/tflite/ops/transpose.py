"""Transpose."""

from __future__ import annotations

from edgekit.lowering.ledger import Value
from edgekit.lowering.op import Op
from edgekit.lowering.tflite.builder import TFLiteBuilder
from edgekit.lowering.tflite.table import lowers


@lowers("Transpose", since=13)
def transpose(b: TFLiteBuilder, n: Op) -> Value:
    """Transpose -> TRANSPOSE; without `perm` the axes are reversed."""
    x = n.operand(0)
    return b.transpose(x, n.attr("perm") or range(x.rank)[::-1])
