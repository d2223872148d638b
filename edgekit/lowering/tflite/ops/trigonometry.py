"""Trigonometric functions, from SIN, COS, SQRT and ATAN2."""

from __future__ import annotations

from collections.abc import Callable

from edgekit.lowering.ledger import Value
from edgekit.lowering.op import Op
from edgekit.lowering.tflite.builder import TFLiteBuilder
from edgekit.lowering.tflite.formula import Term
from edgekit.lowering.tflite.kernels import carried
from edgekit.lowering.tflite.table import lowers


def _atan2(y: Term, x: Term) -> Term:
    return Term(y.b, y.b.op("ATAN2", [y.value, x.value]))


def _cathetus(x: Term) -> Term:
    """`sqrt(1 - x * x)` without cancellation near 1."""
    return ((1 - x) * (x + 1)).sqrt()


_FORMULAS: dict[str, Callable[[Term], Term]] = {
    "Sin": lambda x: x.unary("SIN"),
    "Cos": lambda x: x.unary("COS"),
    "Tan": lambda x: x.unary("SIN") / x.unary("COS"),
    "Asin": lambda x: _atan2(x, _cathetus(x)),
    "Acos": lambda x: _atan2(_cathetus(x), x),
    "Atan": lambda x: _atan2(x, x.unary("ZEROS_LIKE") + 1),
}


@lowers(*_FORMULAS, since=7)
def trigonometry(b: TFLiteBuilder, n: Op) -> Value:
    """Sin, Cos, Tan, Asin, Acos, Atan -> SIN, COS and their quotient; ATAN2 of the triangle's sides."""
    return carried(b, [n.operand(0)], ("float32",), lambda x: _FORMULAS[n.type](Term(b, x)).value)
