"""Activations: a TFLite builtin of the same meaning, else a formula that neither overflows nor cancels."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from edgekit.lowering.ledger import Value
from edgekit.lowering.op import Op
from edgekit.lowering.tflite.builder import TFLiteBuilder
from edgekit.lowering.tflite.formula import Term
from edgekit.lowering.tflite.kernels import carried
from edgekit.lowering.tflite.table import lowers

_BUILTIN = {"Relu": "RELU", "Sigmoid": "LOGISTIC", "Tanh": "TANH", "HardSwish": "HARD_SWISH"}


@lowers("Sigmoid", "Tanh", since=13)
@lowers("Relu", since=14)
@lowers("HardSwish", since=22)
def activation(b: TFLiteBuilder, n: Op) -> Value:
    """Relu, Sigmoid, Tanh, HardSwish -> RELU, LOGISTIC, TANH, HARD_SWISH."""
    return _real(b, n, lambda x: x.unary(_BUILTIN[n.type]))


@lowers("Gelu", since=20)
def gelu(b: TFLiteBuilder, n: Op) -> Value:
    """Gelu -> GELU, with the error function or the tanh form."""
    approximate = n.attr("approximate", "none") == "tanh"
    return _real(b, n, lambda x: Term(b, b.op("GELU", [x.value], {"approximate": approximate})))


@lowers("LeakyRelu", since=16)
def leaky_relu(b: TFLiteBuilder, n: Op) -> Value:
    """LeakyRelu -> LEAKY_RELU."""
    alpha = n.attr("alpha", 0.01)
    return _real(b, n, lambda x: Term(b, b.op("LEAKY_RELU", [x.value], {"alpha": alpha})))


@lowers("PRelu", since=16)
def prelu(b: TFLiteBuilder, n: Op) -> Value:
    """PRelu -> PRELU; integers -> SELECT_V2 between the input and its product with the slope."""
    x, slope = n.operand(0), n.operand(1)
    if x.dtype.kind == "f":
        return carried(b, [x, slope], ("float32",), lambda v, s: b.op("PRELU", [v, s]))

    def integer(v: Value, s: Value) -> Value:
        signal = Term(b, v)
        return (signal < 0).where(signal * Term(b, s), signal).value

    return carried(b, [x, slope], ("int32", "int64"), integer)


@lowers("Elu", since=22)
def elu(b: TFLiteBuilder, n: Op) -> Value:
    """Elu -> ELU; with an `alpha` other than 1 RELU plus a scaled ELU of the negative part."""
    alpha = n.attr("alpha", 1.0)
    return _real(b, n, lambda x: x.unary("ELU") if alpha == 1 else _scaled_elu(x, alpha))


@lowers("Selu", since=22)
def selu(b: TFLiteBuilder, n: Op) -> Value:
    """Selu -> `gamma * (relu(x) + alpha * elu(min(x, 0)))`."""
    alpha, gamma = n.attr("alpha", 1.6732631921768188), n.attr("gamma", 1.0507010221481323)
    return _real(b, n, lambda x: _scaled_elu(x, alpha) * gamma)


@lowers("Celu", since=12)
def celu(b: TFLiteBuilder, n: Op) -> Value:
    """Celu -> `relu(x) + alpha * elu(min(x / alpha, 0))` for a positive alpha."""
    alpha = n.attr("alpha", 1.0)
    if alpha <= 0:
        n.refuse(f"`alpha` {alpha}; it must be positive")
    return _real(b, n, lambda x: x.unary("RELU") + (x / alpha).minimum(0).unary("ELU") * alpha)


def _scaled_elu(x: Term, alpha: float) -> Term:
    return x.unary("RELU") + x.minimum(0).unary("ELU") * alpha


@lowers("ThresholdedRelu", since=22)
def thresholded_relu(b: TFLiteBuilder, n: Op) -> Value:
    """ThresholdedRelu -> SELECT_V2 between the input and zero."""
    return _real(b, n, lambda x: (x > n.attr("alpha", 1.0)).where(x, 0))


@lowers("HardSigmoid", since=22)
def hard_sigmoid(b: TFLiteBuilder, n: Op) -> Value:
    """HardSigmoid -> a scaled RELU6 where the slope is 1/6, else RELU and MINIMUM."""
    alpha, beta = np.float32(n.attr("alpha", 0.2)), np.float32(n.attr("beta", 0.5))
    if alpha == np.float32(1 / 6):
        return _real(b, n, lambda x: (x + float(beta * 6)).unary("RELU6") * float(alpha))
    return _real(b, n, lambda x: (x * float(alpha) + float(beta)).unary("RELU").minimum(1))


@lowers("Swish", since=24)
def swish(b: TFLiteBuilder, n: Op) -> Value:
    """Swish -> `x * logistic(alpha * x)`."""
    alpha = n.attr("alpha", 1.0)
    return _real(b, n, lambda x: x * (x if alpha == 1 else x * alpha).unary("LOGISTIC"))


@lowers("Softplus", since=22)
def softplus(b: TFLiteBuilder, n: Op) -> Value:
    """Softplus -> `relu(x) + log1p(exp(-|x|))`, which cannot overflow."""
    return _real(b, n, lambda x: x.unary("RELU") + _log1p((-x.abs()).exp()))


def _log1p(u: Term) -> Term:
    """Logarithm of 1 + u for u in [0, 1], with full relative precision.

    LiteRT's LOG of a rounded sum has none near 1. With `z = u / (2 + u)`, at most 1/3, the series
    `2 z (1 + z^2 / 3 + z^4 / 5 + ...)` reaches float32 in eight terms.

    Source: `log(1 + u) = 2 artanh(u / (2 + u))`.
    """
    z = u / (u + 2)
    square = z * z
    series = square * (1 / 15) + 1 / 13
    for odd in (11, 9, 7, 5, 3, 1):
        series = series * square + 1 / odd
    return z * series * 2


@lowers("Mish", since=22)
def mish(b: TFLiteBuilder, n: Op) -> Value:
    """Mish -> `x * m / (m + 2)` with `m = e (e + 2)`, `e = exp(x)`.

    That is `tanh(log(1 + e))` written as a fraction; beyond x = 20 it is 1 in float32.
    """

    def formula(x: Term) -> Term:
        e = x.minimum(20).exp()
        m = e * (e + 2)
        return x * (m / (m + 2))

    return _real(b, n, formula)


@lowers("Softsign", since=22)
def softsign(b: TFLiteBuilder, n: Op) -> Value:
    """Softsign -> `x / (1 + |x|)`."""
    return _real(b, n, lambda x: x / (x.abs() + 1))


_CLIPS = {(0.0, 6.0): "RELU6", (-1.0, 1.0): "RELU_N1_TO_1"}


@lowers("Clip", since=13)
def clip(b: TFLiteBuilder, n: Op) -> Value:
    """Clip -> RELU, RELU6 or RELU_N1_TO_1 where the limits are theirs, else MAXIMUM and MINIMUM."""
    x, low, high = n.operand(0), n.input(1), n.input(2)
    floor, ceiling = _number(low), _number(high)
    builtin = None if floor is None or ceiling is None else _CLIPS.get((floor, ceiling))
    builtin = "RELU" if floor == 0 and high is None else builtin
    if builtin is not None and x.dtype.kind == "f":
        return _real(b, n, lambda v: v.unary(builtin))

    def limit(v: Value, *bounds: Value) -> Value:
        result, rest = Term(b, v), [Term(b, bound) for bound in bounds]
        if low is not None:
            result = result.maximum(rest.pop(0))
        return (result.minimum(rest[0]) if high is not None else result).value

    operands = [x, *(v for v in (low, high) if v is not None)]
    return carried(b, operands, ("float32", "int32", "int64"), limit)


def _number(x: Value | None) -> float | None:
    return None if x is None or x.data is None else float(x.data.reshape(()))


def _real(b: TFLiteBuilder, n: Op, formula: Callable[[Term], Term]) -> Value:
    return carried(b, [n.operand(0)], ("float32",), lambda x: formula(Term(b, x)).value)
