"""Powers, roots, exponentials, logarithms."""

from __future__ import annotations

import numpy as np

from edgekit.lowering.ledger import Value
from edgekit.lowering.op import Op
from edgekit.lowering.tflite.builder import TFLiteBuilder
from edgekit.lowering.tflite.formula import Term
from edgekit.lowering.tflite.integers import modular
from edgekit.lowering.tflite.kernels import FLOAT_TYPES, carried
from edgekit.lowering.tflite.table import lowers

_BUILTIN = {"Sqrt": "SQRT", "Exp": "EXP", "Log": "LOG"}
_SAFE_INTEGER = 2**24
"""Integers up to here are exact in float32."""


@lowers("Sqrt", "Exp", "Log", since=13)
def unary(b: TFLiteBuilder, n: Op) -> Value:
    """Sqrt, Exp, Log -> SQRT, EXP, LOG."""
    return carried(b, [n.operand(0)], ("float32",), lambda x: b.unary(_BUILTIN[n.type], x))


@lowers("Pow", since=15)
def power(b: TFLiteBuilder, n: Op) -> Value:
    """Pow -> products for small constant exponents, else POW; the result has the base's dtype."""
    base, exponent = n.operand(0), n.operand(1)
    whole = _whole(exponent)
    if whole is not None and (base.dtype.name not in FLOAT_TYPES or whole in (1, 2, 3)):
        if whole < 0:
            n.refuse(f"the integer base has the negative exponent {whole}")
        return modular(b, [base], lambda x: _products(b, x, whole))
    if base.dtype.name in FLOAT_TYPES:
        if exponent.dtype.name not in FLOAT_TYPES or exponent.dtype == np.float64:
            exponent = _as_float(n, b, exponent)
        return carried(b, [base], ("float32",), lambda x: b.binary("POW", x, b.cast(exponent, x.dtype)))
    if exponent.dtype.name in FLOAT_TYPES:
        n.refuse("an integer base has an exponent that is not an integer", code="EK303")
    return _integer_power(b, n, base, exponent)


def _whole(exponent: Value) -> int | None:
    """Returns a constant exponent that is one integer."""
    if exponent.data is None or exponent.data.size != 1 or exponent.rank > 1:
        return None
    number = float(exponent.data.reshape(()))
    return int(number) if number.is_integer() and abs(number) < _SAFE_INTEGER else None


def _products(b: TFLiteBuilder, x: Value, exponent: int) -> Value:
    """Repeated squaring; integers wrap as they do in any order of products."""
    if exponent == 0:
        return b.binary("ADD", b.binary("SUB", x, x), b.scalar(1, x))
    result, square = None, x
    while exponent:
        if exponent & 1:
            result = square if result is None else b.binary("MUL", result, square)
        exponent >>= 1
        if exponent:
            square = b.binary("MUL", square, square)
    assert result is not None
    return result


def _as_float(n: Op, b: TFLiteBuilder, exponent: Value) -> Value:
    """Casts exponents to float32: exact up to 2**24, and beyond that rounded as any operand is."""
    if exponent.data is not None:
        return b.const(exponent.data, np.float32)
    if exponent.dtype.name in ("uint64", "float64"):
        n.refuse(f"exponents of {exponent.dtype.name} are known only at run time", code="EK303")
    return b.cast(exponent, np.float32)


def _integer_power(b: TFLiteBuilder, n: Op, base: Value, exponent: Value) -> Value:
    """POW of int32 squares and multiplies, wrapping; LiteRT refuses negative exponents when it runs."""
    if exponent.dtype.itemsize >= 4 and exponent.dtype.name != "int32" and exponent.data is None:
        n.refuse(f"exponents of {exponent.dtype.name} are known only at run time", code="EK303")
    narrow = b.cast(exponent, np.int32)
    return carried(b, [base], ("int32",), lambda x: Term(b, b.binary("POW", x, narrow)).value)
