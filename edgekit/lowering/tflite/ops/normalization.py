"""Normalisation over batches, channels and neighbourhoods."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgekit.lowering.ledger import Value
from edgekit.lowering.op import Op
from edgekit.lowering.tflite.builder import TFLiteBuilder
from edgekit.lowering.tflite.formula import Term, constant
from edgekit.lowering.tflite.kernels import carried, carrier
from edgekit.lowering.tflite.ops.matmul import fully_connected
from edgekit.lowering.tflite.spatial import channels_first, channels_last
from edgekit.lowering.tflite.table import lowers


@lowers("BatchNormalization", since=15)
def batch_normalization(b: TFLiteBuilder, n: Op) -> Value | tuple[Value, Value, Value]:
    """BatchNormalization -> MUL and ADD with factors folded from scale, bias, mean and variance."""
    x = n.operand(0)
    real = carrier(x.dtype, ("float32",))
    signal = Term(b, b.cast(x, real))
    scale, bias, mean, variance = (Term(b, b.cast(n.operand(i), real)) for i in range(1, 5))
    running: tuple[Value, ...] = ()
    if n.attr("training_mode", 0):
        over = [i for i in range(x.rank) if i != 1]
        batch_mean = signal.reduce("MEAN", over)
        deviation = signal - batch_mean
        batch_variance = (deviation * deviation).reduce("MEAN", over)
        momentum = n.attr("momentum", 0.9)
        flat = (x.shape[1],)
        running = tuple(
            (old * momentum + new.reshape(flat) * (1 - momentum)).cast(n.operand(i).dtype).value
            for i, old, new in ((3, mean, batch_mean), (4, variance, batch_variance))
        )
        mean, variance = batch_mean.reshape(flat), batch_variance.reshape(flat)
    factor = scale / (variance + n.attr("epsilon", 1e-5)).sqrt()
    per_channel = (1, x.shape[1], *(1 for _ in x.shape[2:]))
    offset = bias - mean * factor
    y = signal * factor.reshape(per_channel) + offset.reshape(per_channel)
    return (y.cast(x.dtype).value, *running) if running else y.cast(x.dtype).value


@lowers("InstanceNormalization", since=22)
def instance_normalization(b: TFLiteBuilder, n: Op) -> Value:
    """InstanceNormalization -> MEAN over the spatial axes, and arithmetic."""
    x = n.operand(0)
    channel = (1, x.shape[1], *(1 for _ in x.shape[2:]))
    real = carrier(x.dtype, ("float32",))
    signal, scale, bias = (Term(b, b.cast(n.operand(i), real)) for i in range(3))
    deviation, scatter = _moments(signal, range(2, x.rank), n.attr("epsilon", 1e-5))
    y = deviation * (scale.reshape(channel) / scatter) + bias.reshape(channel)
    return y.cast(x.dtype).value


@lowers("LayerNormalization", since=17)
def layer_normalization(b: TFLiteBuilder, n: Op) -> tuple[Value, Value, Value]:
    """LayerNormalization of float32 -> MEAN over the last axes, and arithmetic."""
    signal = _float32(b, n)
    axes = range(n.attr("axis", -1) % len(signal.shape), len(signal.shape))
    mean = signal.reduce("MEAN", axes)
    deviation, scatter = _moments(signal, axes, n.attr("epsilon", 1e-5), mean)
    inverse = 1 / scatter
    y = deviation * inverse * Term(b, n.operand(1))
    bias = n.input(2)
    return (y if bias is None else y + Term(b, bias)).value, mean.value, inverse.value


@lowers("RMSNormalization", since=23)
def rms_normalization(b: TFLiteBuilder, n: Op) -> Value:
    """RMSNormalization of float32 -> MEAN of squares over the last axes, and arithmetic."""
    signal = _float32(b, n)
    axes = range(n.attr("axis", -1) % len(signal.shape), len(signal.shape))
    epsilon: float = n.attr("epsilon", 1e-5)
    square = (signal * signal).reduce("MEAN", axes)
    return (signal * (1 / (square + epsilon).sqrt()) * Term(b, n.operand(1))).value


def _float32(b: TFLiteBuilder, n: Op) -> Term:
    """Narrow floats are left to the function body, which says where they are rounded."""
    x = n.operand(0)
    if x.dtype != np.float32:
        n.refuse(f"{x.dtype.name} other than by the op's function body", code="EK303")
    return Term(b, x)


def _moments(x: Term, axes: Sequence[int], epsilon: float, mean: Term | None = None) -> tuple[Term, Term]:
    """Returns the deviation from the mean and `sqrt(variance + epsilon)`."""
    deviation = x - (x.reduce("MEAN", axes) if mean is None else mean)
    return deviation, ((deviation * deviation).reduce("MEAN", axes) + epsilon).sqrt()


@lowers("LpNormalization", since=22)
def lp_normalization(b: TFLiteBuilder, n: Op) -> Value:
    """LpNormalization -> division by the norm; where that is 0 the result is 0."""

    def formula(v: Value) -> Value:
        x, axis = Term(b, v), [n.attr("axis", -1) % v.rank]
        norm = x.abs().reduce("SUM", axis) if n.attr("p", 2) == 1 else (x * x).reduce("SUM", axis).sqrt()
        return (x / norm.equals(0).where(constant(b, 1), norm)).value

    return carried(b, [n.operand(0)], ("float32",), formula)


@lowers("LRN", since=13)
def lrn(b: TFLiteBuilder, n: Op) -> Value:
    """LRN -> FULLY_CONNECTED sums the squares of neighbouring channels; then `x * sums ** -beta`.

    TFLite's own op is not used: its reference kernel leaves out the last neighbour.
    """
    x, size = n.operand(0), n.attr("size")
    channels = x.shape[1]
    if channels is None:
        n.refuse("the number of channels is known only at run time", code="EK305")
    distance = np.arange(channels) - np.arange(channels)[:, None]
    near = (distance >= -((size - 1) // 2)) & (distance <= size // 2)
    weights = constant(b, near * (n.attr("alpha", 1e-4) / size))
    bias = constant(b, np.full(channels, n.attr("bias", 1.0)))

    def formula(v: Value) -> Value:
        signal = Term(b, channels_last(b, v))
        sums = Term(b, fully_connected(b, (signal * signal).value, weights.value, bias.value))
        return channels_first(b, (signal * _inverse_power(sums, n.attr("beta", 0.75))).value)

    return carried(b, [x], ("float32",), formula)


def _inverse_power(x: Term, exponent: float) -> Term:
    """Returns `x ** -exponent`; by roots for the usual exponents, which are faster than POW."""
    if exponent == 0.75:
        return 1 / (x.sqrt() * x.sqrt().sqrt())
    return 1 / x.sqrt() if exponent == 0.5 else x.power(-exponent)
