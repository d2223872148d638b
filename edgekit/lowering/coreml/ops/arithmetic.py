"""Elementwise arithmetic of two and more operands."""

from __future__ import annotations

from functools import reduce

import numpy as np

from edgekit.lowering.coreml.bounds import Interval
from edgekit.lowering.coreml.builder import CoreMlBuilder
from edgekit.lowering.coreml.formula import Term
from edgekit.lowering.coreml.integers import in_order, require_signed, result
from edgekit.lowering.coreml.table import lowers
from edgekit.lowering.ledger import Value
from edgekit.lowering.op import Op

_MIL = {"Add": "add", "Sub": "sub", "Mul": "mul", "Max": "maximum", "Min": "minimum"}


@lowers("Add", "Sub", "Mul", since=14)
def add_sub_mul(b: CoreMlBuilder, n: Op) -> Value:
    """Add, Sub, Mul -> add, sub, mul."""
    return _arithmetic(b, n, n.type, n.operand(0), n.operand(1))


def _arithmetic(b: CoreMlBuilder, n: Op, kind: str, x: Value, y: Value) -> Value:
    made = b.binary(_MIL[kind], x, y)
    if x.dtype.kind == "f":
        return made
    if kind == "Sub" and x is y:
        return b.const(np.zeros((), x.dtype)) if x.rank == 0 else b.bounded(made, Interval(0, 0))
    p, q = b.interval(x), b.interval(y)
    return result(b, n, made, p + q if kind == "Add" else p - q if kind == "Sub" else p * q)


@lowers("Sum", since=13)
def sum_of_all(b: CoreMlBuilder, n: Op) -> Value:
    """Sum -> a chain of add."""
    return reduce(lambda x, y: b.binary("add", x, y), [n.operand(i) for i in range(len(n.inputs))])


@lowers("Mean", since=13)
def mean_of_all(b: CoreMlBuilder, n: Op) -> Value:
    """Mean -> a chain of add, divided."""
    return (Term(b, sum_of_all(b, n)) / len(n.inputs)).value


@lowers("Max", "Min", since=13)
def extremum(b: CoreMlBuilder, n: Op) -> Value:
    """Max, Min -> a chain of maximum or minimum."""
    return reduce(lambda x, y: _extremum(b, n.type, x, y), [n.operand(i) for i in range(len(n.inputs))])


def _extremum(b: CoreMlBuilder, kind: str, x: Value, y: Value) -> Value:
    if x.dtype == np.uint32 and not (b.interval(x).is_int32 and b.interval(y).is_int32):
        order = "greater" if kind == "Max" else "less"
        return b.select(b.binary(order, in_order(b, x), in_order(b, y)), x, y)
    made = b.binary(_MIL[kind], x, y)
    if x.dtype.kind == "f":
        return made
    p, q = b.interval(x), b.interval(y)
    pick = max if kind == "Max" else min
    return b.bounded(made, Interval(pick(p.low, q.low), pick(p.high, q.high)))


@lowers("Div", since=14)
def div(b: CoreMlBuilder, n: Op) -> Value:
    """Div -> real_div; integers -> floor_div, one more where that rounded away from zero."""
    x, y = n.operand(0), n.operand(1)
    if x.dtype.kind == "f":
        return b.binary("real_div", x, y)
    top, bottom = (Term(b, require_signed(b, v, "division")) for v in (x, y))
    quotient = top // bottom
    p, q = b.interval(x), b.interval(y)
    if p.low < 0 or q.low < 0:
        rest = top - quotient * bottom
        toward_zero = rest.differs(0) & (top < 0).with_("logical_xor", bottom < 0)
        quotient = toward_zero.where(quotient + 1, quotient)
    largest = max(abs(p.low), abs(p.high))
    exact = Interval(-largest if min(p.low, q.low) < 0 else 0, largest)
    return result(b, n, b.relabel(quotient.value, x.dtype), Interval(exact.low, exact.high))


@lowers("Mod", since=13)
def mod(b: CoreMlBuilder, n: Op) -> Value:
    """Mod -> mod, whose sign is the divisor's; with `fmod` that of magnitudes, with the dividend's sign."""
    x, y = n.operand(0), n.operand(1)
    by_dividend = bool(n.attr("fmod", 0))
    if x.dtype.kind == "f":
        return _float_remainder(Term(b, x), Term(b, y), by_dividend=by_dividend).value
    top, bottom = (Term(b, require_signed(b, v, "a remainder")) for v in (x, y))
    made = (_of_magnitudes(top, bottom) if by_dividend else top % bottom).value
    limit = max(abs(b.interval(y).low), abs(b.interval(y).high), 1) - 1
    low = -limit if min(b.interval(x).low, b.interval(y).low) < 0 else 0
    return result(
        b,
        n,
        b.relabel(made, x.dtype),
        Interval(max(low, b.interval(x).low if n.attr("fmod", 0) else low), limit),
    )


def _of_magnitudes(top: Term, bottom: Term) -> Term:
    rest = top.abs() % bottom.abs()
    return (top < 0).where(-rest, rest)


def _float_remainder(top: Term, bottom: Term, *, by_dividend: bool) -> Term:
    """Divides by infinity apart: MIL multiplies it with zero."""
    nothing = top - top  # 0, or NaN where the dividend is not finite
    if by_dividend:
        rest, whole = _of_magnitudes(top, bottom), top
    else:
        rest, whole = top % bottom, (top * bottom.unary("sign") < 0).where(bottom, top)
    return bottom.abs().equals(float("inf")).where(whole + nothing, rest)


@lowers("Pow", since=15)
def power(b: CoreMlBuilder, n: Op) -> Value:
    """Pow -> mul for a constant 2 or 3, else pow; of integers, only small constant exponents."""
    x, y = n.operand(0), n.operand(1)
    exponent = None if y.data is None or y.data.size != 1 else float(y.data.reshape(()))
    if exponent in (1.0, 2.0, 3.0) and y.rank <= x.rank:
        made = x
        for _ in range(int(exponent or 1) - 1):
            made = _arithmetic(b, n, "Mul", made, x)
        return made
    if x.dtype.kind != "f":
        return _integer_power(b, n, x, y)
    if y.dtype.kind != "f":
        y = b.cast(require_signed(b, y, "an exponent"), x.dtype)
    return b.binary("pow", x, b.cast(y, x.dtype))


def _integer_power(b: CoreMlBuilder, n: Op, x: Value, y: Value) -> Value:
    """Squares and multiplies: x ** y as a product of x ** 2 ** k, where the bit k of y is set."""
    if y.dtype.kind == "f":
        n.refuse("an integer to the power of a float has no exact form in Core ML")
    if y.data is None or y.data.size == 0 or y.data.min() < 0:
        n.refuse("an integer to the power of an exponent known only at run time, or negative")
    base, made = x, b.select(b.const(np.zeros(y.data.shape, bool)), x, b.number(1, x))
    for bit in range(int(y.data.max()).bit_length()):
        chosen = b.const((y.data.astype(np.int64) >> bit) & 1 == 1)
        made = b.select(chosen, _arithmetic(b, n, "Mul", made, base), made)
        if int(y.data.max()) >> (bit + 1):
            base = _arithmetic(b, n, "Mul", base, base)
    return made
