"""Activations: a TFLite builtin of the same meaning, else a formula that neither overflows nor cancels."""

from __future__ import annotations

from collections.abc import Callable

from edgekit.lowering.ledger import Value
from edgekit.lowering.op import Op
from edgekit.lowering.tflite import activations
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
    return _real(b, n, lambda x: activations.leaky_relu(x, n.attr("alpha", 0.01)))


@lowers("PRelu", since=16)
def prelu(b: TFLiteBuilder, n: Op) -> Value:
    """PRelu -> PRELU; integers -> SELECT_V2 between the input and its product with the slope."""
    x, slope = n.operand(0), n.operand(1)
    if x.dtype.kind not in "iu":
        return carried(b, [x, slope], ("float32",), lambda v, s: b.op("PRELU", [v, s]))

    def integer(v: Value, s: Value) -> Value:
        signal = Term(b, v)
        return (signal < 0).where(signal * Term(b, s), signal).value

    return carried(b, [x, slope], ("int32", "int64"), integer)


@lowers("Elu", since=22)
def elu(b: TFLiteBuilder, n: Op) -> Value:
    """Elu -> ELU, or a formula of it."""
    return _real(b, n, lambda x: activations.elu(x, n.attr("alpha", 1.0)))


@lowers("Selu", since=22)
def selu(b: TFLiteBuilder, n: Op) -> Value:
    """Selu -> `gamma * (relu(x) + alpha * elu(min(x, 0)))`."""
    alpha, gamma = n.attr("alpha", 1.6732631921768188), n.attr("gamma", 1.0507010221481323)
    return _real(b, n, lambda x: activations.elu(x, alpha) * gamma)


@lowers("Celu", since=12)
def celu(b: TFLiteBuilder, n: Op) -> Value:
    """Celu -> `relu(x) + alpha * elu(min(x / alpha, 0))` for a positive alpha."""
    alpha = n.attr("alpha", 1.0)
    if alpha <= 0:
        n.refuse(f"`alpha` {alpha}; it must be positive")
    return _real(b, n, lambda x: x.unary("RELU") + (x / alpha).minimum(0).unary("ELU") * alpha)


@lowers("ThresholdedRelu", since=22)
def thresholded_relu(b: TFLiteBuilder, n: Op) -> Value:
    """ThresholdedRelu -> SELECT_V2 between the input and zero."""
    return _real(b, n, lambda x: activations.thresholded_relu(x, n.attr("alpha", 1.0)))


@lowers("HardSigmoid", since=22)
def hard_sigmoid(b: TFLiteBuilder, n: Op) -> Value:
    """HardSigmoid -> a scaled RELU6 where the slope is 1/6, else RELU and MINIMUM."""
    alpha, beta = n.attr("alpha", 0.2), n.attr("beta", 0.5)
    return _real(b, n, lambda x: activations.hard_sigmoid(x, alpha, beta))


@lowers("Swish", since=24)
def swish(b: TFLiteBuilder, n: Op) -> Value:
    """Swish -> `x * logistic(alpha * x)`."""
    alpha = n.attr("alpha", 1.0)
    return _real(b, n, lambda x: x * (x if alpha == 1 else x * alpha).unary("LOGISTIC"))


@lowers("Softplus", since=22)
def softplus(b: TFLiteBuilder, n: Op) -> Value:
    """Softplus -> `relu(x) + log1p(exp(-|x|))`, which cannot overflow."""
    return _real(b, n, activations.softplus)


@lowers("Mish", since=22)
def mish(b: TFLiteBuilder, n: Op) -> Value:
    """Mish -> EXP and a fraction."""
    return _real(b, n, activations.mish)


@lowers("Softsign", since=22)
def softsign(b: TFLiteBuilder, n: Op) -> Value:
    """Softsign -> ABS, ADD, DIV."""
    return _real(b, n, activations.softsign)


_CLIPS = {(0.0, 6.0): "RELU6", (-1.0, 1.0): "RELU_N1_TO_1"}


@lowers("Clip", since=13)
def clip(b: TFLiteBuilder, n: Op) -> Value:
    """Clip -> RELU, RELU6 or RELU_N1_TO_1 where the limits are theirs, else MAXIMUM and MINIMUM."""
    x, low, high = n.operand(0), n.input(1), n.input(2)
    floor, ceiling = _number(low), _number(high)
    builtin = None if floor is None or ceiling is None else _CLIPS.get((floor, ceiling))
    builtin = "RELU" if floor == 0 and high is None else builtin
    if builtin is not None and x.dtype.kind not in "iu":
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
