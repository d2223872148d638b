"""ReverseSequence."""

from __future__ import annotations

import numpy as np

from edgekit.lowering.ledger import Value
from edgekit.lowering.op import Op
from edgekit.lowering.tflite.builder import TFLiteBuilder
from edgekit.lowering.tflite.movement import moved
from edgekit.lowering.tflite.table import lowers

_KERNELS = ("float32", "uint8", "int16", "int32", "int64")


@lowers("ReverseSequence", since=10)
def reverse_sequence(b: TFLiteBuilder, n: Op) -> Value:
    """ReverseSequence -> REVERSE_SEQUENCE."""
    x, lengths = n.operand(0), b.cast(n.operand(1), np.int64)
    attrs = {"seq_dim": n.attr("time_axis", 0), "batch_dim": n.attr("batch_axis", 1)}
    return moved(b, [x], _KERNELS, lambda v: b.op("REVERSE_SEQUENCE", [v, lengths], attrs))
