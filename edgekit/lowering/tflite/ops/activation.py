"""Activations that have a TFLite builtin of the same meaning."""

from __future__ import annotations

from edgekit.lowering.ledger import Value
from edgekit.lowering.op import Op
from edgekit.lowering.tflite.builder import TFLiteBuilder
from edgekit.lowering.tflite.kernels import carried
from edgekit.lowering.tflite.table import lowers

_BUILTIN = {"Relu": "RELU", "Sigmoid": "LOGISTIC", "Tanh": "TANH", "HardSwish": "HARD_SWISH"}


@lowers("Sigmoid", "Tanh", since=13)
@lowers("Relu", "HardSwish", since=14)
def activation(b: TFLiteBuilder, n: Op) -> Value:
    """Relu, Sigmoid, Tanh, HardSwish -> RELU, LOGISTIC, TANH, HARD_SWISH."""
    return carried(b, [n.operand(0)], ("float32",), lambda x: b.unary(_BUILTIN[n.type], x))
