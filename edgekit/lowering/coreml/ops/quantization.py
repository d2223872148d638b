"""Linear quantisation in explicit float arithmetic, and the products of quantised tensors."""

from __future__ import annotations

from typing import Any

import numpy as np

from edgekit.lowering.coreml.bounds import Interval
from edgekit.lowering.coreml.builder import CoreMlBuilder
from edgekit.lowering.coreml.codes import coded, constant_quant
from edgekit.lowering.coreml.formula import Term
from edgekit.lowering.coreml.movement import take
from edgekit.lowering.coreml.ops.convolution import check_exact_sum, convolve
from edgekit.lowering.coreml.ops.matmul import product
from edgekit.lowering.coreml.table import lowers
from edgekit.lowering.ledger import Value
from edgekit.lowering.op import Op

CODED = ("int8", "uint8")
"""Dtypes of MIL's quantize and of weights that are stored in a byte."""
SMALL = ("int4", "uint4", "int2", "uint2")
FIRST_WITH_CODES = 17
"""The iOS release that brought quantize and dequantize."""
INTEGERS = ("int8", "uint8", "int16", "uint16")
"""Dtypes of quantised tensors that float32 holds exactly."""


@lowers("QuantizeLinear", since=25)
def quantize(b: CoreMlBuilder, n: Op) -> Value:
    """QuantizeLinear -> real_div, round (half to even), add, clip, cast.

    MIL's quantize gives int8, which no other op but dequantize takes; see `coded`.
    """
    x, dtype = n.operand(0), n.out().dtype
    scale = _parameter(b, n, 1, x, 1)
    zero = None if n.input(2) is None else _parameter(b, n, 2, x, 1)
    made = saturated(n, Term(b, b.cast(x, np.float32)) / scale, zero, dtype)
    quant = constant_quant(n, x)
    if quant is not None and x.dtype == np.float32 and dtype.name in CODED:
        b.codes[made] = x, quant
    return made


def saturated(n: Op, x: Term, zero: Term | None, dtype: np.dtype[Any]) -> Value:
    """Rounds reals that are already divided by the scale, adds the zero point and saturates."""
    if dtype.name not in INTEGERS:
        n.refuse(f"quantisation to {dtype.name}", code="EK303")
    limits = np.iinfo(dtype)
    whole = x.unary("round")
    shifted = whole if zero is None else whole + zero
    clipped = shifted.unary("clip", alpha=float(limits.min), beta=float(limits.max))
    b = x.b
    return b.bounded(
        b.relabel(clipped.cast(np.int32).value, dtype), Interval(int(limits.min), int(limits.max))
    )


@lowers("DequantizeLinear", since=25)
def dequantize(b: CoreMlBuilder, n: Op) -> Value:
    """DequantizeLinear -> cast, sub, mul; behind QuantizeLinear, both as MIL's pair; a constant at once."""
    x = n.operand(0)
    if x.data is not None and x.dtype.name in SMALL:
        x = b.const(x.data.astype(np.int8 if x.dtype.name.startswith("int") else np.uint8))
    if x.dtype.kind not in "iu":
        n.refuse(f"dequantisation of {x.dtype.name}", code="EK303")
    quant = constant_quant(n, x)
    if quant is not None and n.out().dtype == np.float32:
        real, same = b.codes.get(x, (None, None))
        if real is not None and same == quant and b.infer.ios >= FIRST_WITH_CODES:
            return coded(b, real, x.dtype, quant)
    scale = _parameter(b, n, 1, x, 1)
    signal = Term(b, b.int32(x)).cast(np.float32)
    if n.input(2) is not None:
        signal = signal - _parameter(b, n, 2, x, 1)
    made = (signal * scale).cast(n.out().dtype).value
    if made.data is None or x.dtype.name not in CODED or made.dtype != np.float32:
        return made
    return b.const(made.data, quant=quant)


def _parameter(b: CoreMlBuilder, n: Op, index: int, x: Value, default_axis: int) -> Term:
    """Casts a scale or zero point to float32, in a shape that broadcasts against `x`."""
    value = n.operand(index)
    value = b.cast(b.int32(value) if value.dtype.kind in "iu" and value.data is None else value, np.float32)
    size = value.static_shape
    if size is not None and int(np.prod(size)) == 1:
        return Term(b, b.reshape(value, ()))
    axis = int(n.attr("axis", default_axis)) % x.rank
    if value.rank == 1:
        return Term(b, b.reshape(value, [value.shape[0] if i == axis else 1 for i in range(x.rank)]))
    block, length = int(n.attr("block_size", 0)), x.shape[axis]
    if block <= 0:
        n.refuse(f"a scale of rank {value.rank} without `block_size`")
    if length is None:
        n.refuse("blocks along an axis of a size known only at run time", code="EK305")
    return Term(b, take(b, value, np.arange(length) // block, axis))


@lowers("QLinearMatMul", since=21)
def qlinear_matmul(b: CoreMlBuilder, n: Op) -> Value:
    """QLinearMatMul -> matmul of int32, rescaled and rounded."""
    x, y = _centred(b, n, 0, 2, rows=True), _centred(b, n, 3, 5, rows=False)
    total = Term(b, b.cast(product(b, x, y), np.float32))
    scale = _scale(b, n, 1, rows=True) * _scale(b, n, 4, rows=False) / _scale(b, n, 6, rows=True)
    return saturated(n, total * scale, _number(b, n, 7), n.out().dtype)


def _centred(b: CoreMlBuilder, n: Op, index: int, zero: int, *, rows: bool) -> Value:
    point = b.int32(n.operand(zero))
    if point.rank == 1 and rows and point.shape != (1,):
        point = b.expand_dims(point, [1])
    return b.bounded(b.binary("sub", b.int32(n.operand(index)), point), Interval(-255, 255))


def _scale(b: CoreMlBuilder, n: Op, index: int, *, rows: bool) -> Term:
    scale = b.cast(n.operand(index), np.float32)
    return Term(b, b.expand_dims(scale, [1]) if scale.rank == 1 and rows and scale.shape != (1,) else scale)


def _number(b: CoreMlBuilder, n: Op, index: int) -> Term:
    value = n.operand(index)
    number = b.cast(b.int32(value) if value.data is None else value, np.float32)
    return Term(b, b.expand_dims(number, [1]) if number.rank == 1 and number.shape != (1,) else number)


@lowers("QLinearConv", since=10)
def qlinear_conv(b: CoreMlBuilder, n: Op) -> Value:
    """QLinearConv -> conv in fp32 where every sum is an integer that fp32 holds, rescaled and rounded."""
    x, w = n.operand(0), n.operand(3)
    taps = int(np.prod((w.static_shape or (0,))[1:]))
    check_exact_sum(n, b, x, w, taps)
    signal = Term(b, b.cast(x, np.float32)) - _per_channel(b, n, 2, None)
    kernel = Term(b, b.cast(w, np.float32)) - _per_channel(b, n, 5, w.rank, first=True)
    total = Term(b, convolve(b, n, signal.value, kernel.value, None))
    if n.input(8) is not None:
        bias = b.cast(n.operand(8), np.float32)
        total = total + Term(b, b.reshape(bias, [bias.shape[0] if i == 1 else 1 for i in range(x.rank)]))
    scale = _per_channel(b, n, 1, None) * _per_channel(b, n, 4, x.rank) / _per_channel(b, n, 6, None)
    return saturated(n, total * scale, _per_channel(b, n, 7, None), n.out().dtype)


def _per_channel(b: CoreMlBuilder, n: Op, index: int, rank: int | None, *, first: bool = False) -> Term:
    value = b.cast(n.operand(index), np.float32)
    if value.static_shape in ((), (1,)):
        return Term(b, b.reshape(value, ()))
    place = 0 if first else 1
    return Term(b, b.reshape(value, [value.shape[0] if i == place else 1 for i in range(rank or 1)]))
