"""float64, as far as LiteRT's kernels go.

Its own arithmetic has no float64, but STABLEHLO_ADD and STABLEHLO_MULTIPLY do; they do not broadcast.
The order is that of the bits, read as integers, with negative numbers counted backwards.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgekit.lowering.ledger import Value
from edgekit.lowering.op import Unlowerable
from edgekit.lowering.tflite import sizes as sz
from edgekit.lowering.tflite.builder import TFLiteBuilder
from edgekit.lowering.tflite.formula import Term
from edgekit.lowering.tflite.movement import bitcast

_LOWEST = -(2**63)
_INFINITY = int(np.float64(np.inf).view(np.int64))


def arithmetic(b: TFLiteBuilder, name: str, x: Value, y: Value) -> Value:
    """Computes `ADD`, `SUB` or `MUL` with broadcasting; subtracting is adding the negative, exactly."""
    if name == "SUB":
        y = negative(b, y)
    op = {"ADD": "STABLEHLO_ADD", "SUB": "STABLEHLO_ADD", "MUL": "STABLEHLO_MULTIPLY"}[name]
    operands = sz.broadcast_both(b, x, y)
    return b.op(op, operands, dtype=np.float64, shape=operands[0].shape)


def negative(b: TFLiteBuilder, x: Value) -> Value:
    """Flips the sign bit."""
    return bitcast(b, (_bits(b, x) + _LOWEST).value, np.float64)


def magnitude(b: TFLiteBuilder, x: Value) -> Value:
    """Clears the sign bit."""
    return bitcast(b, _unsigned(_bits(b, x)).value, np.float64)


def is_nan(b: TFLiteBuilder, x: Value) -> Term:
    """Tells what is not a number."""
    return _unsigned(_bits(b, x)) > _INFINITY


def is_infinite(b: TFLiteBuilder, x: Value, *, up: bool, down: bool) -> Term:
    """Tells what is infinite on the sides asked for."""
    bits = _bits(b, x)
    if up and down:
        return _unsigned(bits).equals(_INFINITY)
    side = _INFINITY if up else _INFINITY + _LOWEST
    return bits.equals(side) if up or down else bits < _LOWEST


def compared(b: TFLiteBuilder, name: str, x: Value, y: Value) -> Value:
    """Computes `EQUAL`, `LESS`, ...; false where an operand is NaN."""
    relation = Term(b, b.binary(name, _order(b, x).value, _order(b, y).value))
    for value in (x, y):
        relation = relation & Term(b, b.unary("LOGICAL_NOT", is_nan(b, value).value))
    return relation.value


def extremum(b: TFLiteBuilder, name: str, x: Value, y: Value) -> Value:
    """Computes `MAXIMUM` or `MINIMUM`; NaN in either operand gives NaN."""
    relation = {"MAXIMUM": "GREATER", "MINIMUM": "LESS"}[name]
    first = Term(b, b.binary(relation, _order(b, x).value, _order(b, y).value))
    chosen = first.where(Term(b, x), Term(b, y))
    return is_nan(b, x).where(Term(b, x), is_nan(b, y).where(Term(b, y), chosen)).value


def running(
    b: TFLiteBuilder, parts: Sequence[Value], name: str, identity: float, *, exclusive: bool
) -> list[Value]:
    """Returns the running sums or products of values of one shape."""
    shape = parts[0].static_shape
    if shape is None:
        raise Unlowerable("running float64 results of a size known only at run time", code="EK305")
    total = b.const(np.full(shape, identity), np.float64)
    results = []
    for i, part in enumerate(parts):
        after = part if i == 0 else arithmetic(b, name, total, part)
        results.append(total if exclusive else after)
        total = after
    return results


def _bits(b: TFLiteBuilder, x: Value) -> Term:
    return Term(b, bitcast(b, x, np.int64))


def _unsigned(bits: Term) -> Term:
    return (bits < 0).where(bits + _LOWEST, bits)


def _order(b: TFLiteBuilder, x: Value) -> Term:
    """An integer with the order of the numbers; both zeros are 0."""
    bits = _bits(b, x)
    return (bits < 0).where(_LOWEST - bits, bits)
