"""Linear quantisation: marked for the integer kernels, or in explicit float32 arithmetic.

With constant parameters for the whole tensor a node becomes a marker, QUANTIZE or DEQUANTIZE with its
`quant`, which `integer` makes integer ops of. Where that finds nothing, `exactly` takes the place of the
marker: LiteRT's own QUANTIZE rounds half away from zero and ONNX half to even.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from edgekit.ir import Quant
from edgekit.lowering.ledger import Value
from edgekit.lowering.op import Op
from edgekit.lowering.tflite.builder import TFLiteBuilder
from edgekit.lowering.tflite.formula import Term
from edgekit.lowering.tflite.requantize import INTEGERS, saturated
from edgekit.lowering.tflite.table import lowers

_MARKED = ("int8", "uint8", "int16")
"""Dtypes whose ops may have integer kernels."""


@lowers("QuantizeLinear", since=28)
def quantize_linear(b: TFLiteBuilder, n: Op) -> Value:
    """QuantizeLinear -> DIV, ROUND (half to even), ADD of the zero point, limits, CAST.

    The division is in float32 whatever the dtype of the scale, as ONNX Runtime computes it.
    """
    x, dtype = n.operand(0), n.out().dtype
    if n.attr("precision", 0) not in (0, 1):
        n.refuse("a `precision` other than float32")
    quant = _constant_parameters(n, x)
    if quant is not None and quant.axis is None and x.dtype == np.float32 and dtype.name in _MARKED:
        return b.op("QUANTIZE", [x], {"quant": quant}, dtype=dtype, shape=x.shape)
    ratio = Term(b, x).cast(np.float32) / _parameter(b, n, 1, x)
    zero = None if n.input(2) is None else _parameter(b, n, 2, x)
    return saturated(ratio, zero, dtype).value


@lowers("DequantizeLinear", since=28)
def dequantize_linear(b: TFLiteBuilder, n: Op) -> Value:
    """DequantizeLinear -> CAST, SUB of the zero point, MUL by the scale; a constant at once."""
    x, zero = n.operand(0), n.input(2)
    if x.dtype.name not in (*INTEGERS, "int32"):
        n.refuse(f"dequantisation of {x.dtype.name}", code="EK303")
    if x.dtype == np.int32 and zero is not None and (zero.data is None or zero.data.any()):
        n.refuse("a zero point for int32")
    quant = _constant_parameters(n, x)
    is_float = n.out().dtype == np.float32
    if quant is not None and quant.axis is None and is_float and x.data is None and x.dtype.name in _MARKED:
        return b.op("DEQUANTIZE", [x], {"quant": quant}, dtype=np.float32, shape=x.shape)
    scale = _parameter(b, n, 1, x)
    signal = Term(b, x).cast(np.float32)
    if zero is not None and x.dtype != np.int32:
        signal = signal - _parameter(b, n, 2, x)
    result = (signal * scale).cast(n.out().dtype).value
    if result.data is None or not is_float:
        return result
    made = b.const(result.data, quant=quant)
    return replace(made, codes=x.data) if x.dtype == np.int32 else made


def _constant_parameters(n: Op, x: Value) -> Quant | None:
    """Returns scales and zero points that are constants, for the whole tensor or along one axis."""
    scale, zero = n.const(1), n.const(2)
    if scale is None or scale.dtype != np.float32 or (n.input(2) is not None and zero is None):
        return None
    scales = scale.reshape(-1)
    zeros = np.zeros(scales.shape, np.int64) if zero is None else zero.reshape(-1).astype(np.int64)
    if n.attr("block_size", 0) or not scales.size or scale.ndim > 1 or not (scales > 0).all():
        return None
    axis = None if scales.size == 1 else n.attr("axis", 1) % x.rank
    return Quant(tuple(map(float, scales)), tuple(map(int, zeros)), axis)


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
