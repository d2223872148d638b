"""Activations: a MIL op of the same meaning, else a formula that neither overflows nor cancels."""

from __future__ import annotations

import numpy as np

from edgekit.lowering.coreml.builder import CoreMlBuilder
from edgekit.lowering.coreml.formula import Term
from edgekit.lowering.coreml.integers import result
from edgekit.lowering.coreml.table import lowers
from edgekit.lowering.ledger import Value
from edgekit.lowering.op import Op

_SAME = {"Sigmoid": "sigmoid", "Tanh": "tanh", "Softplus": "softplus", "Softsign": "softsign"}


@lowers("Sigmoid", "Tanh", since=13)
@lowers("Softplus", "Softsign", since=22)
def activation(b: CoreMlBuilder, n: Op) -> Value:
    """Sigmoid, Tanh, Softplus, Softsign -> the MIL op of the same name."""
    return b.unary(_SAME[n.type], n.operand(0))


@lowers("Relu", since=14)
def relu(b: CoreMlBuilder, n: Op) -> Value:
    """Relu -> relu; integers -> maximum."""
    x = n.operand(0)
    return b.unary("relu", x) if x.dtype.kind == "f" else b.binary("maximum", x, b.number(0, x))


@lowers("HardSwish", since=22)
def hard_swish(b: CoreMlBuilder, n: Op) -> Value:
    """HardSwish -> `x * sigmoid_hard(x)` with slope 1/6."""
    x = Term(b, n.operand(0))
    return (x * x.unary("sigmoid_hard", alpha=1 / 6, beta=0.5)).value


@lowers("HardSigmoid", since=22)
def hard_sigmoid(b: CoreMlBuilder, n: Op) -> Value:
    """HardSigmoid -> sigmoid_hard."""
    alpha, beta = float(n.attr("alpha", 0.2)), float(n.attr("beta", 0.5))
    return b.op("sigmoid_hard", x=n.operand(0), alpha=alpha, beta=beta)


@lowers("Gelu", since=20)
def gelu(b: CoreMlBuilder, n: Op) -> Value:
    """Gelu -> gelu, with the error function or the tanh form."""
    tanh = n.attr("approximate", "none") == "tanh"
    return b.op("gelu", x=n.operand(0), mode="TANH_APPROXIMATION" if tanh else "EXACT")


@lowers("LeakyRelu", since=16)
def leaky_relu(b: CoreMlBuilder, n: Op) -> Value:
    """LeakyRelu -> leaky_relu."""
    return b.op("leaky_relu", x=n.operand(0), alpha=float(n.attr("alpha", 0.01)))


@lowers("PRelu", since=16)
def prelu(b: CoreMlBuilder, n: Op) -> Value:
    """PRelu -> prelu with one slope per channel, else select."""
    x, slope = n.operand(0), n.operand(1)
    if x.dtype.kind == "f" and slope.data is not None and 3 <= x.rank <= 5 and x.shape[1] is not None:
        by_channel = np.broadcast_to(slope.data, (1,) * (x.rank - slope.rank) + slope.data.shape)
        if by_channel.size in (1, x.shape[1]) and by_channel.shape[1] == by_channel.size:
            alpha = np.ascontiguousarray(np.broadcast_to(by_channel.reshape(-1), (x.shape[1],)))
            return b.op("prelu", x=x, alpha=b.const(alpha))
    product = b.binary("mul", x, slope)
    if x.dtype.kind != "f":
        product = result(b, n, product, b.interval(x) * b.interval(slope))
    return b.select(b.binary("less", x, b.number(0, x)), product, x)


@lowers("Elu", since=22)
def elu(b: CoreMlBuilder, n: Op) -> Value:
    """Elu -> elu."""
    return b.op("elu", x=n.operand(0), alpha=float(n.attr("alpha", 1.0)))


@lowers("Selu", since=22)
def selu(b: CoreMlBuilder, n: Op) -> Value:
    """Selu -> a scaled elu."""
    alpha, gamma = n.attr("alpha", 1.6732631921768188), n.attr("gamma", 1.0507010221481323)
    return (Term(b, n.operand(0)).unary("elu", alpha=float(alpha)) * float(gamma)).value


@lowers("Celu", since=12)
def celu(b: CoreMlBuilder, n: Op) -> Value:
    """Celu -> `relu(x) + alpha * elu(min(x / alpha, 0))` for a positive alpha."""
    alpha = float(n.attr("alpha", 1.0))
    if alpha <= 0:
        n.refuse(f"`alpha` {alpha}; it must be positive")
    x = Term(b, n.operand(0))
    return (x.unary("relu") + (x / alpha).minimum(0).unary("elu", alpha=1.0) * alpha).value


@lowers("ThresholdedRelu", since=22)
def thresholded_relu(b: CoreMlBuilder, n: Op) -> Value:
    """ThresholdedRelu -> select, for MIL's own keeps an element that equals the threshold."""
    x = Term(b, n.operand(0))
    return (x > float(n.attr("alpha", 1.0))).where(x, 0).value


@lowers("Swish", since=24)
def swish(b: CoreMlBuilder, n: Op) -> Value:
    """Swish -> silu, or `x * sigmoid(alpha * x)`."""
    x, alpha = Term(b, n.operand(0)), float(n.attr("alpha", 1.0))
    return x.unary("silu").value if alpha == 1 else (x * (x * alpha).unary("sigmoid")).value


@lowers("Mish", since=22)
def mish(b: CoreMlBuilder, n: Op) -> Value:
    """Mish -> `x * tanh(softplus(x))`."""
    x = Term(b, n.operand(0))
    return (x * x.unary("softplus").unary("tanh")).value


@lowers("Clip", since=13)
def clip(b: CoreMlBuilder, n: Op) -> Value:
    """Clip -> relu, relu6 or clip where the limits are constants, else maximum and minimum."""
    x, low, high = n.operand(0), n.input(1), n.input(2)
    floor, ceiling = _number(low), _number(high)
    if x.dtype.kind == "f" and floor == 0 and high is None:
        return b.unary("relu", x)
    if x.dtype.kind == "f" and (floor, ceiling) == (0.0, 6.0):
        return b.unary("relu6", x)
    if x.dtype.kind == "f" and floor is not None and ceiling is not None and floor <= ceiling:
        return b.op("clip", x=x, alpha=floor, beta=ceiling)
    if low is not None:
        x = b.binary("maximum", x, low)
    return x if high is None else b.binary("minimum", x, high)


def _number(x: Value | None) -> float | None:
    return None if x is None or x.data is None else float(x.data.reshape(()))


@lowers("Softmax", "LogSoftmax", since=13)
def softmax(b: CoreMlBuilder, n: Op) -> Value:
    """Softmax -> softmax; LogSoftmax -> the input less its maximum and the logarithm of the sum."""
    x, axis = n.operand(0), int(n.attr("axis", -1))
    if x.rank == 0:
        return b.number(float(n.type == "Softmax"), x)
    return b.cast(_softmax(b, n, b.cast(x, np.float32), axis), x.dtype)  # float16 is summed in float32


def _softmax(b: CoreMlBuilder, n: Op, x: Value, axis: int) -> Value:
    if n.type == "Softmax":
        return b.op("softmax", x=x, axis=axis)
    axes = [axis % x.rank]
    term = Term(b, x)
    shifted = term - term.reduce("reduce_max", axes)
    return (shifted - shifted.exp().reduce("reduce_sum", axes).log()).value


@lowers("Hardmax", since=13)
def hardmax(b: CoreMlBuilder, n: Op) -> Value:
    """Hardmax -> reduce_argmax and one_hot; the first of equal elements is taken."""
    x = n.operand(0)
    axis = int(n.attr("axis", -1)) % x.rank
    size = x.shape[axis]
    if size is None:
        n.refuse("the size of the axis is known only at run time", code="EK305")
    place = b.op("reduce_argmax", dtype=np.int32, x=x, axis=axis, keep_dims=True)
    shape = [size if i == axis else 1 for i in range(x.rank)]
    steps = b.const(np.arange(size, dtype=np.int32).reshape(shape))
    return b.cast(b.binary("equal", place, steps), x.dtype)
