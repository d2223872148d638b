"""Operations on the bits of integers.

LiteRT has only XOR and right shifts, up to 32 bits. AND follows from them, since
`a + b = (a ^ b) + 2 (a & b)`, on lanes of 16 bits in int32, where the sum cannot overflow.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from edgekit.lowering.ledger import Value
from edgekit.lowering.op import Op
from edgekit.lowering.tflite.builder import TFLiteBuilder
from edgekit.lowering.tflite.formula import Term
from edgekit.lowering.tflite.movement import bitcast
from edgekit.lowering.tflite.ops.division import exact_quotient
from edgekit.lowering.tflite.table import lowers


@lowers("BitwiseXor", since=18)
def bitwise_xor(b: TFLiteBuilder, n: Op) -> Value:
    """BitwiseXor -> BITWISE_XOR."""
    return _on_lanes(b, n.operand(0), n.operand(1), 4, lambda x, y: b.binary("BITWISE_XOR", x, y))


@lowers("BitwiseNot", since=18)
def bitwise_not(b: TFLiteBuilder, n: Op) -> Value:
    """BitwiseNot -> BITWISE_XOR with all bits set."""
    x = n.operand(0)
    ones = bitcast(b, b.const(-1, f"int{8 * x.dtype.itemsize}"), x.dtype)
    return _on_lanes(b, x, ones, 4, lambda v, w: b.binary("BITWISE_XOR", v, w))


@lowers("BitwiseAnd", "BitwiseOr", since=18)
def bitwise_and_or(b: TFLiteBuilder, n: Op) -> Value:
    """BitwiseAnd, BitwiseOr -> sums and BITWISE_XOR of lanes that cannot overflow."""

    def combine(x: Value, y: Value) -> Value:
        wide = Term(b, b.cast(x, np.int32)), Term(b, b.cast(y, np.int32))
        differ = Term(b, b.binary("BITWISE_XOR", wide[0].value, wide[1].value))
        twice = wide[0] + wide[1] - differ
        both = Term(b, b.binary("RIGHT_SHIFT", twice.value, b.const(1, np.int32)))
        return b.cast((both if n.type == "BitwiseAnd" else both + differ).value, x.dtype)

    return _on_lanes(b, n.operand(0), n.operand(1), 2, combine)


def _on_lanes(
    b: TFLiteBuilder, x: Value, y: Value, width: int, compute: Callable[[Value, Value], Value]
) -> Value:
    """Splits wide integers into lanes of `width` bytes along a new last axis."""
    if x.dtype.itemsize <= width:
        return compute(x, y)
    count, lane = x.dtype.itemsize // width, np.dtype(f"uint{8 * width}")
    lanes = compute(*(_split(b, v, count, lane) for v in (x, y)))
    return b.op("BITCAST", [lanes], dtype=x.dtype, shape=lanes.shape[:-1])


def _split(b: TFLiteBuilder, x: Value, count: int, lane: np.dtype[np.generic]) -> Value:
    if x.data is not None:
        return b.const(np.ascontiguousarray(x.data)[..., None].view(lane))
    return b.op("BITCAST", [x], dtype=lane, shape=(*x.shape, count))


@lowers("BitShift", since=11)
def bit_shift(b: TFLiteBuilder, n: Op) -> Value:
    """BitShift -> RIGHT_SHIFT, or products with powers of two to the left.

    A shift by a negative number or by all bits leaves nothing but copies of the sign.
    """
    x, by = n.operand(0), n.operand(1)
    bits = 8 * x.dtype.itemsize
    wide = bitcast(b, by, np.int64) if by.dtype == np.uint64 else b.cast(by, np.int64)
    distance = Term(b, wide)
    too_far = (distance < 0) | (distance >= bits)
    if n.attr("direction") == "LEFT":
        return _shifted_left(b, x, too_far.where(bits, distance))
    if bits == 64:
        return _shifted_right_64(b, x, too_far.where(63, distance), too_far)
    near = too_far.where(bits - 1, distance)
    shifted = Term(b, b.binary("RIGHT_SHIFT", x, b.cast(near.value, x.dtype)))
    return shifted.value if x.dtype.kind == "i" else too_far.where(0, shifted).value


def _powers(b: TFLiteBuilder, distance: Term) -> Term:
    """Powers of two modulo 2**64, for distances of 0 to 64."""
    table = np.append(np.uint64(1) << np.arange(64, dtype=np.uint64), np.uint64(0)).view(np.int64)
    attrs = {"axis": 0}
    at = distance.value
    return Term(b, b.op("GATHER", [b.const(table), at], attrs, dtype=np.int64, shape=at.shape))


def _shifted_left(b: TFLiteBuilder, x: Value, distance: Term) -> Value:
    power = _powers(b, distance)
    if x.dtype.itemsize == 8:
        return bitcast(b, (Term(b, bitcast(b, x, np.int64)) * power).value, x.dtype)
    return b.cast((Term(b, b.cast(x, np.int64)) * power).value, x.dtype)


def _shifted_right_64(b: TFLiteBuilder, x: Value, distance: Term, too_far: Term) -> Value:
    """Floored quotients by powers of two; unsigned numbers are halved first, so that they have a sign bit."""
    signed = Term(b, bitcast(b, x, np.int64))
    if x.dtype.kind == "i":
        return _floored(signed, distance).value
    half = _floored(signed, signed * 0 + 1)
    positive = (half < 0).where(half + _LOWEST, half)
    rest = _floored(positive, (distance - 1).maximum(0))
    shifted = distance.equals(0).where(signed, too_far.where(0, rest))
    return bitcast(b, shifted.value, x.dtype)


_LOWEST = -(2**63)


def _floored(x: Term, distance: Term) -> Term:
    """Quotient by `2**distance` towards minus infinity; 2**63 itself is no int64."""
    power = _powers(x.b, distance.minimum(62))
    remainder = Term(x.b, x.b.binary("FLOOR_MOD", x.value, power.value))
    quotient = exact_quotient(x - remainder, power)
    return (distance >= 63).where((x < 0).where(-1, 0, np.int64), quotient)
