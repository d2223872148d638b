"""Normalisation over batches, channels and neighbourhoods."""

from __future__ import annotations

import numpy as np

from edgekit.lowering.ledger import Value
from edgekit.lowering.op import Op
from edgekit.lowering.tvm.builder import TVMBuilder, computed
from edgekit.lowering.tvm.table import lowers
from edgekit.lowering.tvm.term import Term


@lowers("BatchNormalization", since=15)
def batch_normalization(b: TVMBuilder, n: Op) -> Value | tuple[Value, ...]:
    """(x - mean) / sqrt(variance + epsilon) * scale + bias, per channel."""
    x = n.operand(0)
    real = np.dtype(np.float64 if x.dtype == np.float64 else np.float32)
    signal, scale, bias, mean, variance = (Term(b, b.cast(n.operand(i), real)) for i in range(5))
    running: list[Value] = []
    if n.attr("training_mode", 0):
        over = [i for i in range(x.rank) if i != 1]
        batch_mean = signal.mean(over)
        deviation = signal - batch_mean
        batch_variance = (deviation * deviation).mean(over)
        momentum = n.attr("momentum", 0.9)
        for i, old, new in ((3, mean, batch_mean), (4, variance, batch_variance)):
            flat = Term(b, b.squeeze(new.value, over))
            running.append((old * momentum + flat * (1 - momentum)).cast(n.operand(i).dtype).value)
        mean, variance = (Term(b, b.squeeze(t.value, over)) for t in (batch_mean, batch_variance))
    factor = scale / (variance + n.attr("epsilon", 1e-5)).map("sqrt")
    offset = bias - mean * factor
    y = signal * factor.per_channel(x.rank) + offset.per_channel(x.rank)
    return (y.cast(x.dtype).value, *running) if running else y.cast(x.dtype).value


@lowers("InstanceNormalization", since=6)
def instance_normalization(b: TVMBuilder, n: Op) -> Value:
    """Normalises each channel of each image."""

    def formula(x: Value, scale: Value, bias: Value) -> Value:
        deviation, scatter = _moments(Term(b, x), range(2, x.rank), n.attr("epsilon", 1e-5))
        y = deviation / scatter * Term(b, scale).per_channel(x.rank)
        return (y + Term(b, bias).per_channel(x.rank)).value

    return computed(b, [n.operand(i) for i in range(3)], formula)


@lowers("LayerNormalization", since=17)
def layer_normalization(b: TVMBuilder, n: Op) -> tuple[Value, ...]:
    """Normalises over the last axes; halves are left to the function body, which says where they round."""
    x = n.operand(0)
    if x.dtype != np.float32:
        n.refuse(f"{x.dtype.name} other than by the op's function body", code="EK303")
    axes = range(n.attr("axis", -1) % x.rank, x.rank)
    signal = Term(b, x)
    mean = signal.mean(axes)
    deviation, scatter = _moments(signal, axes, n.attr("epsilon", 1e-5), mean)
    inverse = Term(b, b.scalar(1, x)) / scatter
    y = deviation * inverse * n.operand(1)
    bias = n.input(2)
    return (y if bias is None else y + bias).value, mean.value, inverse.value


@lowers("RMSNormalization", since=23)
def rms_normalization(b: TVMBuilder, n: Op) -> Value:
    """Divides by the root of the mean square over the last axes."""
    x = n.operand(0)
    if x.dtype != np.float32:
        n.refuse(f"{x.dtype.name} other than by the op's function body", code="EK303")
    axes = range(n.attr("axis", -1) % x.rank, x.rank)
    signal, epsilon = Term(b, x), float(n.attr("epsilon", 1e-5))
    root = ((signal * signal).mean(axes) + epsilon).map("sqrt")
    y = signal / root * n.operand(1)
    return y.value


def _moments(x: Term, axes: range, epsilon: float, mean: Term | None = None) -> tuple[Term, Term]:
    """Returns the deviation from the mean and sqrt(variance + epsilon)."""
    deviation = x - (x.mean(axes) if mean is None else mean)
    return deviation, ((deviation * deviation).mean(axes) + epsilon).map("sqrt")


@lowers("LpNormalization", since=1)
def lp_normalization(b: TVMBuilder, n: Op) -> Value:
    """Divides by the norm along an axis; where that is 0 the result is 0."""

    def formula(v: Value) -> Value:
        x, axis = Term(b, v), [n.attr("axis", -1) % v.rank]
        norm = x.map("abs").sum(axis) if n.attr("p", 2) == 1 else (x * x).sum(axis).map("sqrt")
        empty = norm.map("equal", 0, dtype=np.bool_)
        one = b.scalar(1, v)
        return (x / empty.map("where", one, norm, dtype=v.dtype)).value

    return computed(b, [n.operand(0)], formula)


@lowers("MeanVarianceNormalization", since=13)
def mean_variance_normalization(b: TVMBuilder, n: Op) -> Value:
    """(x - mean) / (standard deviation + 1e-9) over some axes."""

    def formula(v: Value) -> Value:
        axes = [a % v.rank for a in n.attr("axes") or (0, 2, 3)]
        x = Term(b, v)
        deviation = x - x.mean(axes)
        scatter = (deviation * deviation).mean(axes).map("sqrt") + 1e-9
        return (deviation / scatter).value

    return computed(b, [n.operand(0)], formula)


@lowers("LRN", since=1)
def lrn(b: TVMBuilder, n: Op) -> Value:
    """X / (bias + alpha / size * sum of squares of neighbouring channels) ** beta."""
    attrs = {
        "size": n.attr("size"),
        "alpha": float(n.attr("alpha", 1e-4)),
        "beta": float(n.attr("beta", 0.75)),
        "bias": float(n.attr("bias", 1.0)),
    }
    return computed(b, [n.operand(0)], lambda v: b.op("lrn", [v], attrs, dtype=v.dtype, shape=v.shape))
