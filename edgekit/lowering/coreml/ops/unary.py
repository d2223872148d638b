"""Elementwise functions of one operand."""

from __future__ import annotations

import math

import numpy as np

from edgekit.lowering.coreml.bounds import Interval
from edgekit.lowering.coreml.builder import CoreMlBuilder
from edgekit.lowering.coreml.formula import Term
from edgekit.lowering.coreml.integers import result
from edgekit.lowering.coreml.table import lowers
from edgekit.lowering.ledger import Value
from edgekit.lowering.op import Op

_SAME = {
    **{name: name.lower() for name in ("Acos", "Asin", "Atan", "Atanh", "Cos", "Cosh", "Sin", "Sinh", "Tan")},
    **{name: name.lower() for name in ("Ceil", "Erf", "Exp", "Floor", "Sqrt", "Round")},
}


@lowers("Acos", "Asin", "Atan", "Atanh", "Cos", "Cosh", "Sin", "Sinh", "Tan", since=22)
@lowers("Ceil", "Erf", "Exp", "Floor", "Sqrt", since=13)
@lowers("Round", since=22)
def same(b: CoreMlBuilder, n: Op) -> Value:
    """Functions that MIL has under the same name; `round` takes ties to even in both."""
    return b.unary(_SAME[n.type], n.operand(0))


@lowers("Log", since=13)
def log(b: CoreMlBuilder, n: Op) -> Value:
    """Log -> log without MIL's epsilon."""
    return Term(b, n.operand(0)).log().value


@lowers("Reciprocal", since=13)
def reciprocal(b: CoreMlBuilder, n: Op) -> Value:
    """Reciprocal -> real_div, for MIL's `inverse` adds an epsilon."""
    return (1 / Term(b, n.operand(0))).value


@lowers("Abs", since=13)
def absolute(b: CoreMlBuilder, n: Op) -> Value:
    """Abs -> abs; unsigned numbers are their own."""
    x = n.operand(0)
    if x.dtype.kind == "u":
        return x
    made = b.unary("abs", x)
    if x.dtype.kind == "f":
        return made
    span = b.interval(x)
    low = 0 if span.low <= 0 <= span.high else min(abs(span.low), abs(span.high))
    return result(b, n, made, Interval(low, max(abs(span.low), abs(span.high))))


@lowers("Neg", since=13)
def negative(b: CoreMlBuilder, n: Op) -> Value:
    """Neg -> mul by -1."""
    x = n.operand(0)
    made = (-Term(b, x)).value
    return made if x.dtype.kind == "f" else result(b, n, made, Interval(0, 0) - b.interval(x))


@lowers("Sign", since=13)
def sign(b: CoreMlBuilder, n: Op) -> Value:
    """Sign -> sign."""
    x = n.operand(0)
    if x.dtype.kind == "f":
        return b.unary("sign", x)
    if x.dtype == np.uint32:
        return b.relabel(b.int32(Term(b, b.int32(x)).differs(0).value), x.dtype)
    return b.bounded(b.unary("sign", x), Interval(-1, 1))


@lowers("Asinh", since=22)
def asinh(b: CoreMlBuilder, n: Op) -> Value:
    """Asinh -> its sign times the logarithm of `1 + u`, `u = |x| + x^2 / (1 + sqrt(x^2 + 1))`."""
    x = Term(b, n.operand(0))
    size = x.abs()
    square = size * size
    root = (square + 1).sqrt()
    near = _log1p(size + square / (root + 1))
    return (x.unary("sign") * _by_size(size, near, (size + root).log())).value


@lowers("Acosh", since=22)
def acosh(b: CoreMlBuilder, n: Op) -> Value:
    """Acosh -> the logarithm of `1 + u`, `u = d + sqrt(d (d + 2))` with `d = x - 1`."""
    x = Term(b, n.operand(0))
    d = x - 1
    root = (d * (d + 2)).sqrt()
    return _by_size(x, _log1p(d + root), (x + root).log()).value


def _log1p(u: Term) -> Term:
    """Logarithm of 1 + u for small u, with full relative precision: `2 atanh(u / (2 + u))`."""
    return (u / (u + 2)).unary("atanh") * 2


def _by_size(x: Term, near: Term, middle: Term) -> Term:
    """Chooses the form without cancellation, and where squares overflow `log(2 x)`."""
    far = x.log() + math.log(2)
    largest = 100.0 if x.value.dtype == np.float16 else 1e9
    return (x < 2).where(near, (x > largest).where(far, middle))


@lowers("IsNaN", since=20)
def is_nan(b: CoreMlBuilder, n: Op) -> Value:
    """IsNaN -> not_equal to itself."""
    return b.binary("not_equal", n.operand(0), n.operand(0))


@lowers("IsInf", since=20)
def is_infinite(b: CoreMlBuilder, n: Op) -> Value:
    """IsInf -> equal to infinity of the signs asked for."""
    x = Term(b, n.operand(0))
    up, down = bool(n.attr("detect_positive", 1)), bool(n.attr("detect_negative", 1))
    if up and down:
        return x.abs().equals(np.inf).value
    if not (up or down):
        return (x.differs(x) & x.equals(x)).value
    return x.equals(np.inf if up else -np.inf).value


@lowers("Shrink", since=9)
def shrink(b: CoreMlBuilder, n: Op) -> Value:
    """Shrink -> two select."""
    x, bias, lambd = Term(b, n.operand(0)), float(n.attr("bias", 0.0)), float(n.attr("lambd", 0.5))
    if x.value.dtype.kind != "f":
        n.refuse("integers have no exact form in Core ML", code="EK303")
    return (x < -lambd).where(x + bias, (x > lambd).where(x - bias, 0)).value


@lowers("Not", since=1)
def logical_not(b: CoreMlBuilder, n: Op) -> Value:
    """Not -> logical_not."""
    return b.unary("logical_not", n.operand(0))


@lowers("BitwiseNot", since=18)
def bitwise_not(b: CoreMlBuilder, n: Op) -> Value:
    """BitwiseNot -> `-x - 1`, of unsigned dtypes `max - x`."""
    x = n.operand(0)
    if x.dtype == np.uint64:
        n.refuse("the complement of a uint64 leaves int32, in which Core ML computes")
    term = Term(b, b.relabel(x, np.int32))
    top = -1 if x.dtype.kind == "i" or x.dtype == np.uint32 else int(np.iinfo(x.dtype).max)
    return b.relabel((top - term).value, x.dtype)
