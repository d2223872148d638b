"""Linear quantisation in explicit float32 arithmetic.

LiteRT's own QUANTIZE rounds half away from zero and ONNX half to even, so it is not used.
"""

from __future__ import annotations

import numpy as np

from edgekit.lowering.ledger import Value
from edgekit.lowering.op import Op
from edgekit.lowering.tflite.builder import TFLiteBuilder
from edgekit.lowering.tflite.formula import Term
from edgekit.lowering.tflite.requantize import INTEGERS, saturated
from edgekit.lowering.tflite.table import lowers


@lowers("QuantizeLinear", since=28)
def quantize_linear(b: TFLiteBuilder, n: Op) -> Value:
    """QuantizeLinear -> DIV, ROUND (half to even), ADD of the zero point, limits, CAST.

    The division is in float32 whatever the dtype of the scale, as ONNX Runtime computes it.
    """
    x = n.operand(0)
    if n.attr("precision", 0) not in (0, 1):
        n.refuse("a `precision` other than float32")
    ratio = Term(b, x).cast(np.float32) / _parameter(b, n, 1, x)
    zero = None if n.input(2) is None else _parameter(b, n, 2, x)
    return saturated(ratio, zero, n.out().dtype).value


@lowers("DequantizeLinear", since=28)
def dequantize_linear(b: TFLiteBuilder, n: Op) -> Value:
    """DequantizeLinear -> CAST, SUB of the zero point, MUL by the scale; a constant at once."""
    x, zero = n.operand(0), n.input(2)
    if x.dtype.name not in (*INTEGERS, "int32"):
        n.refuse(f"dequantisation of {x.dtype.name}", code="EK303")
    scale = _parameter(b, n, 1, x)
    if x.dtype == np.int32 and zero is not None and (zero.data is None or zero.data.any()):
        n.refuse("a zero point for int32")
    signal = Term(b, x).cast(np.float32)
    if zero is not None and x.dtype != np.int32:
        signal = signal - _parameter(b, n, 2, x)
    return (signal * scale).cast(n.out().dtype).value


def _parameter(b: TFLiteBuilder, n: Op, index: int, x: Value) -> Term:
    """Casts a scale or zero point to float32, in a shape that broadcasts against `x`."""
    value = Term(b, n.operand(index)).cast(np.float32)
    size = value.value.static_shape
    if size is not None and int(np.prod(size)) == 1:
        return value.reshape(())
    axis = n.attr("axis", 1) % x.rank
    if len(value.shape) == 1:
        return value.reshape(tuple(value.shape[0] if i == axis else 1 for i in range(x.rank)))
    return _repeated(n, value, axis, x.shape[axis])


def _repeated(n: Op, value: Term, axis: int, length: int | None) -> Term:
    """Repeats each element of a blocked parameter over its block; the last block may be cut."""
    block = n.attr("block_size", 0)
    if block <= 0:
        n.refuse(f"a scale of rank {len(value.shape)} without `block_size`")
    if length is None:
        n.refuse("blocks along an axis of a size known only at run time", code="EK305")
    return value.gather(np.arange(length) // block, axis)
