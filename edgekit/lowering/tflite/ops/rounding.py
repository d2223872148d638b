"""Rounding to integers."""

from __future__ import annotations

from edgekit.lowering.ledger import Value
from edgekit.lowering.op import Op
from edgekit.lowering.tflite.builder import TFLiteBuilder
from edgekit.lowering.tflite.kernels import carried
from edgekit.lowering.tflite.table import lowers

_BUILTIN = {"Floor": "FLOOR", "Ceil": "CEIL", "Round": "ROUND"}


@lowers("Floor", "Ceil", since=13)
@lowers("Round", since=11)
def rounding(b: TFLiteBuilder, n: Op) -> Value:
    """Floor, Ceil, Round -> FLOOR, CEIL, ROUND; halves go to the even neighbour in both."""
    return carried(b, [n.operand(0)], ("float32",), lambda x: b.unary(_BUILTIN[n.type], x))
