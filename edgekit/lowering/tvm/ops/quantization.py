"""Linear quantisation, and products of quantised tensors."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import ml_dtypes
import numpy as np

from edgekit.lowering.ledger import Value
from edgekit.lowering.op import Op
from edgekit.lowering.tvm import narrow
from edgekit.lowering.tvm.builder import TVMBuilder
from edgekit.lowering.tvm.codes import EIGHT_BITS, Codes
from edgekit.lowering.tvm.ops.convolution import conv_integer_sums, with_bias
from edgekit.lowering.tvm.ops.products import centred, matmul
from edgekit.lowering.tvm.storage import NARROW_FLOATS
from edgekit.lowering.tvm.table import lowers
from edgekit.lowering.tvm.term import Term

_INTEGERS = ("int2", "uint2", "int4", "uint4", "int8", "uint8", "int16", "uint16", "int32")


@lowers("QuantizeLinear", since=19)
def quantize_linear(b: TVMBuilder, n: Op) -> Value:
    """X / scale, rounded half to even, plus the zero point, saturated; the division is in float32."""
    x, to = n.operand(0), n.out().dtype
    if n.attr("precision", 0) not in (0, 1):
        n.refuse("a `precision` other than float32")
    codes = b.codes.get(x)
    if codes is not None and _is_inverse(n, codes):
        return codes.value
    ratio = Term(b, narrow.to_float(b, n.operand(0))).cast(np.float32) / _parameter(b, n, 1, x)
    zero = None if n.input(2) is None else _parameter(b, n, 2, x)
    if to.name in NARROW_FLOATS:
        shifted = ratio if zero is None else ratio + zero
        saturate = bool(n.attr("saturate", 1))
        return narrow.encode(b, shifted.value, to, saturate=saturate, round_mode="nearest")
    return saturated(n, ratio, zero, to)


@lowers("DequantizeLinear", since=19)
def dequantize_linear(b: TVMBuilder, n: Op) -> Value:
    """(x - zero point) * scale in float32; products find the integers behind it in `b.codes`."""
    codes = _codes(n)
    real = _constant(b, codes) if codes is not None and _is_small(codes.value) else _reals(b, n)
    if codes is not None:
        b.codes[real] = codes
    return real


_CODED = (np.dtype(np.int8), np.dtype(np.uint8), np.dtype(np.int32))


def _codes(n: Op) -> Codes | None:
    """Returns the operand as codes, if its parameters are constants, per tensor or along an axis."""
    x, scale, zero = n.operand(0), n.operand(1).data, n.input(2)
    if x.dtype not in _CODED or scale is None or n.out().dtype != np.float32 or scale.ndim > 1:
        return None
    if zero is not None and zero.data is None:
        return None
    points = np.zeros(scale.shape, np.int32) if zero is None or zero.data is None else zero.data
    scales, points = scale.astype(np.float32), points.astype(np.int32)
    if scales.size == 1:
        return Codes(x, scales.reshape(()), points.reshape(()))
    return Codes(x, scales, points, n.attr("axis", 1) % x.rank)


SMALL = 1 << 12
"""Elements of constants that are dequantised at once; larger ones, if read as reals at all, stay small."""


def _is_small(value: Value) -> bool:
    return value.data is not None and value.data.size <= SMALL


def _constant(b: TVMBuilder, codes: Codes) -> Value:
    assert codes.value.data is not None
    shifted = codes.value.data.astype(np.float32)
    if codes.zero.any():
        shifted = shifted - codes.along(codes.zero).astype(np.float32)
    return b.const(shifted * codes.along(codes.scale))


def _is_inverse(n: Op, codes: Codes) -> bool:
    """Tells whether quantising gives back the codes that a real was made of."""
    scale, zero = n.operand(1).data, n.input(2)
    if scale is None or scale.size != 1 or (zero is not None and zero.data is None):
        return False
    if codes.value.dtype not in EIGHT_BITS or n.out().dtype != codes.value.dtype:
        return False
    point = np.int32(0) if zero is None or zero.data is None else zero.data.astype(np.int32).reshape(())
    return codes.same(replace(codes, scale=scale.astype(np.float32).reshape(()), zero=np.asarray(point)))


def _reals(b: TVMBuilder, n: Op) -> Value:
    x, zero = n.operand(0), n.input(2)
    scale = _parameter(b, n, 1, x)
    if x.dtype == np.int32 and zero is None:
        return (Term(b, x).cast(np.float32) * scale).cast(n.out().dtype).value
    signal = Term(b, narrow.to_float(b, x))
    if zero is not None:
        signal = signal - _parameter(b, n, 2, x)
    return (signal * scale).cast(n.out().dtype).value


def saturated(n: Op, ratio: Term, zero: Term | None, to: np.dtype[Any]) -> Value:
    """Rounds reals half to even, adds the zero point and limits to an integer dtype."""
    if to.name not in _INTEGERS:
        n.refuse(f"quantisation to {to.name}", code="EK303")
    limits = ml_dtypes.iinfo(to)
    rounded = ratio.map("round")
    shifted = rounded if zero is None else rounded + zero
    whole = shifted.clip(int(limits.min), int(limits.max))
    return narrow.to_integer(ratio.b, whole.value, to)


def _parameter(b: TVMBuilder, n: Op, index: int, x: Value) -> Term:
    """Casts a scale or zero point to float32, in a shape that broadcasts against `x`."""
    value = Term(b, b.cast(narrow.to_float(b, n.operand(index)), np.float32))
    sizes = value.value.static_shape
    if sizes is not None and int(np.prod(sizes)) == 1:
        return Term(b, b.reshape(value.value, ()))
    axis = n.attr("axis", 1) % x.rank
    if value.value.rank == 1:
        return value.per_channel(x.rank, axis)
    return _repeated(b, n, value, axis, x.shape[axis])


def _repeated(b: TVMBuilder, n: Op, value: Term, axis: int, length: int | None) -> Term:
    """Repeats each element of a blocked parameter over its block; the last block may be cut."""
    block = n.attr("block_size", 0)
    if block <= 0:
        n.refuse(f"a scale of rank {value.value.rank} without `block_size`")
    if length is None:
        n.refuse("blocks along an axis of a size known only at run time", code="EK305")
    shape = (*value.value.shape[:axis], length, *value.value.shape[axis + 1 :])
    places = b.const(np.arange(length) // block, np.int32)
    return Term(b, b.op("gather", [value.value, places], {"axis": axis}, dtype=np.float32, shape=shape))


@lowers("QLinearMatMul", since=10)
def qlinear_mat_mul(b: TVMBuilder, n: Op) -> Value:
    """A product of integers less their zero points, scaled, rounded and saturated."""
    x, y = centred(b, n.operand(0), n.input(2), -1), centred(b, n.operand(3), n.input(5), -2)
    sums = Term(b, b.cast(matmul(b, x, y), np.float32))
    row = Term(b, _row(b, n.operand(1)))
    scale = row * b.cast(n.operand(4), np.float32) / b.cast(n.operand(6), np.float32)
    zero = Term(b, b.cast(n.operand(7), np.float32))
    return saturated(n, sums * scale, zero, n.out().dtype)


def _row(b: TVMBuilder, scale: Value) -> Value:
    real = b.cast(scale, np.float32)
    return b.unsqueeze(real, [1]) if scale.rank == 1 and scale.shape[0] != 1 else real


@lowers("QLinearConv", since=10)
def qlinear_conv(b: TVMBuilder, n: Op) -> Value:
    """A convolution of integers less their zero points, plus bias, scaled, rounded and saturated."""
    sums = conv_integer_sums(b, n, (0, 2), (3, 5))
    if n.input(8) is not None:
        sums = with_bias(b, sums, n.operand(8))
    per_channel = Term(b, b.cast(n.operand(4), np.float32)).per_channel(sums.rank)
    x_scale, y_scale = (Term(b, b.cast(n.operand(i), np.float32)).per_channel(sums.rank) for i in (1, 6))
    scale = x_scale * per_channel / y_scale
    zero = Term(b, b.cast(n.operand(7), np.float32)).per_channel(sums.rank)
    return saturated(n, Term(b, b.cast(sums, np.float32)) * scale, zero, n.out().dtype)
