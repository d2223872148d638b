"""Division and remainders: floats as LiteRT does them, integers exactly.

ONNX truncates integer quotients; a remainder has the divisor's sign, or with `fmod` the dividend's.
LiteRT divides only int32 and ends the process at the smallest integer modulo -1.
"""

from __future__ import annotations

import numpy as np

from edgekit.lowering.ledger import Value
from edgekit.lowering.op import Op
from edgekit.lowering.tflite.builder import TFLiteBuilder
from edgekit.lowering.tflite.formula import Term
from edgekit.lowering.tflite.kernels import carried, carrier
from edgekit.lowering.tflite.movement import bitcast
from edgekit.lowering.tflite.table import lowers

_SIGN = -(2**63)
"""Adding it flips the sign bit, which turns the order of unsigned numbers into that of signed ones."""


@lowers("Div", since=14)
def div(b: TFLiteBuilder, n: Op) -> Value:
    """Div -> DIV; 64-bit integers -> quotients of floats, corrected until they are exact."""
    x, y = n.operand(0), n.operand(1)
    if x.dtype == np.uint64:
        return _unsigned(b, x, y)[0]
    if carrier(x.dtype, ("float32", "int32", "int64")) == np.int64:
        return carried(b, [x, y], ("int64",), lambda p, q: _long_division(Term(b, p), Term(b, q)).value)
    return carried(b, [x, y], ("float32", "int32"), lambda p, q: b.binary("DIV", p, q))


def _long_division(x: Term, y: Term) -> Term:
    """Truncated quotient of int64."""
    return exact_quotient(x - remainder(x, y, follows_dividend=True), y)


def _unsigned(b: TFLiteBuilder, x: Value, y: Value) -> tuple[Value, Value]:
    """Quotient and remainder of uint64, in int64: twice the quotient of half the dividend, and the rest.

    Divisors from 2**63 on go in at most once.
    """
    p, q = Term(b, bitcast(b, x, np.int64)), Term(b, bitcast(b, y, np.int64))
    low = Term(b, b.binary("FLOOR_MOD", p.value, b.const(2, np.int64)))
    half = exact_quotient(p - low, p * 0 + 2)
    half = (p < 0).where(half + _SIGN, half)
    small = (q < 0).where(1, q)
    twice = (q < 0).where(0, _long_division(half, small) * 2)
    rest = p - twice * q
    once_more = (rest + _SIGN) >= (q + _SIGN)
    quotient, remainder = once_more.where(twice + 1, twice), once_more.where(rest - q, rest)
    return bitcast(b, quotient.value, np.uint64), bitcast(b, remainder.value, np.uint64)


def exact_quotient(rest: Term, y: Term) -> Term:
    """Quotient of an int64 that is a multiple of its divisor.

    Each round divides what is left in float32, whose error is a small part of the quotient; the
    quotients add up to 64 bits after three rounds, and rounding to integers makes the last exact.
    """
    divisor = y.cast(np.float32)
    total = None
    for _ in range(4):
        part = (rest.cast(np.float32) / divisor).unary("ROUND").cast(np.int64)
        rest = rest - part * y
        total = part if total is None else total + part
    assert total is not None
    return total


@lowers("Mod", since=13)
def mod(b: TFLiteBuilder, n: Op) -> Value:
    """Mod -> FLOOR_MOD, with the sign set right for `fmod`."""
    x, y = n.operand(0), n.operand(1)
    fmod = bool(n.attr("fmod", 0))
    if x.dtype == np.uint64:
        return _unsigned(b, x, y)[1]
    if x.dtype.kind in "iu":
        return carried(
            b, [x, y], ("int32", "int64"),
            lambda p, q: remainder(Term(b, p), Term(b, q), follows_dividend=fmod).value,
        )  # fmt: skip
    if not fmod:
        return carried(b, [x, y], ("float32",), lambda p, q: b.binary("FLOOR_MOD", p, q))
    return carried(b, [x, y], ("float32",), lambda p, q: _float_remainder(Term(b, p), Term(b, q)).value)


def remainder(x: Term, y: Term, *, follows_dividend: bool) -> Term:
    """Remainder of integers; zero for a divisor of -1 without dividing by it."""
    if y.value.data is None or (y.value.data == -1).any():
        y = y.equals(-1).where(1, y)
    result = Term(x.b, x.b.binary("FLOOR_MOD", x.value, y.value))
    if not follows_dividend:
        return result
    differ = Term(x.b, x.b.binary("NOT_EQUAL", (x < 0).value, (y < 0).value))
    nonzero = Term(x.b, x.b.binary("NOT_EQUAL", result.value, x.b.scalar(0, result.value)))
    return (nonzero & differ).where(result - y, result)


def _float_remainder(x: Term, y: Term) -> Term:
    """C's `fmod`: FLOOR_MOD of magnitudes is exact, the sign is the dividend's."""
    magnitude = Term(x.b, x.b.binary("FLOOR_MOD", x.abs().value, y.abs().value))
    return (x < 0).where(-magnitude, magnitude)
