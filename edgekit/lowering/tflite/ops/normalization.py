"""Normalisation over batches, channels and neighbourhoods."""

from __future__ import annotations

from edgekit.lowering.ledger import Value
from edgekit.lowering.op import Op
from edgekit.lowering.tflite.builder import TFLiteBuilder
from edgekit.lowering.tflite.formula import Term
from edgekit.lowering.tflite.kernels import carrier
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
