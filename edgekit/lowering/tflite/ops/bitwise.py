"""Operations on the bits of integers.

LiteRT has XOR and right shifts up to 32 bits, and AND of all; the rest follows from sums, since
`a + b = (a ^ b) + 2 (a & b)` and `a | b = a + b - (a & b)`, which hold modulo any power of two.
"""

from __future__ import annotations

import numpy as np

from edgekit.lowering.ledger import Value
from edgekit.lowering.op import Op
from edgekit.lowering.tflite import sizes as sz
from edgekit.lowering.tflite.builder import TFLiteBuilder
from edgekit.lowering.tflite.formula import Term
from edgekit.lowering.tflite.integers import modular
from edgekit.lowering.tflite.movement import bitcast
from edgekit.lowering.tflite.ops.division import exact_quotient
from edgekit.lowering.tflite.table import lowers


@lowers("BitwiseAnd", since=18)
def bitwise_and(b: TFLiteBuilder, n: Op) -> Value:
    """BitwiseAnd -> STABLEHLO_AND."""
    return _both(b, n.operand(0), n.operand(1))


@lowers("BitwiseOr", since=18)
def bitwise_or(b: TFLiteBuilder, n: Op) -> Value:
    """BitwiseOr -> the sum without what both have."""
    x, y = n.operand(0), n.operand(1)
    return modular(
        b, [x, y, _both(b, x, y)], lambda v, w, both: (Term(b, v) + Term(b, w) - Term(b, both)).value
    )


@lowers("BitwiseXor", since=18)
def bitwise_xor(b: TFLiteBuilder, n: Op) -> Value:
    """BitwiseXor -> BITWISE_XOR; for 64 bits the sum without twice what both have."""
    x, y = n.operand(0), n.operand(1)
    if x.dtype.itemsize < 8:
        return b.binary("BITWISE_XOR", x, y)
    return modular(
        b, [x, y, _both(b, x, y)], lambda v, w, both: (Term(b, v) + Term(b, w) - Term(b, both) * 2).value
    )


@lowers("BitwiseNot", since=18)
def bitwise_not(b: TFLiteBuilder, n: Op) -> Value:
    """BitwiseNot -> `-1 - x`."""
    return modular(b, [n.operand(0)], lambda x: (-1 - Term(b, x)).value)


def _both(b: TFLiteBuilder, x: Value, y: Value) -> Value:
    """STABLEHLO_AND, which does not broadcast."""
    operands = sz.broadcast_both(b, x, y)
    return b.op("STABLEHLO_AND", operands, dtype=x.dtype, shape=operands[0].shape)


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
