"""Conversions of dtype."""

from __future__ import annotations

import numpy as np

from edgekit.lowering.coreml import bounds
from edgekit.lowering.coreml.builder import CoreMlBuilder
from edgekit.lowering.coreml.formula import Term
from edgekit.lowering.coreml.integers import wrap
from edgekit.lowering.coreml.storage import NARROWED, require
from edgekit.lowering.coreml.table import lowers
from edgekit.lowering.ledger import Value
from edgekit.lowering.op import Op

_WORD = 1 << 16


@lowers("Cast", since=25)
@lowers("CastLike", since=25)
def cast(b: CoreMlBuilder, n: Op) -> Value:
    """Cast -> cast, and what keeps narrower integers in range."""
    return convert(b, n, n.operand(0), n.out().dtype)


def convert(b: CoreMlBuilder, n: Op, x: Value, dtype: np.dtype[np.generic]) -> Value:
    """Converts as ONNX says; see `cast`."""
    require(dtype)
    if x.data is not None or x.dtype == dtype:
        return b.cast(x, dtype)
    if dtype == np.bool_:
        return b.binary("not_equal", x, b.number(0, x)) if x.dtype != np.bool_ else x
    if dtype.kind == "f":
        return _to_float(b, x, dtype)
    if x.dtype == np.bool_:
        return b.bounded(b.relabel(b.cast(x, np.int32), dtype), bounds.BIT)
    if x.dtype.kind == "f":
        return _to_integer(b, n, x, dtype)
    return _between_integers(b, n, x, dtype)


def _to_float(b: CoreMlBuilder, x: Value, dtype: np.dtype[np.generic]) -> Value:
    if x.dtype != np.uint32 or b.interval(x).is_int32:
        return b.cast(x, dtype)
    bits = Term(b, b.relabel(x, np.int32))
    high, low = (bits // _WORD) % _WORD, bits % _WORD
    number = high.cast(np.float32) * float(_WORD) + low.cast(np.float32)  # rounds once
    return number.cast(dtype).value


def _to_integer(b: CoreMlBuilder, n: Op, x: Value, dtype: np.dtype[np.generic]) -> Value:
    if dtype.name in NARROWED or dtype == np.uint32:
        n.approximate(f"floats beyond int32 do not become {dtype.name} in Core ML", final=True)
    whole = b.cast(x, np.int32)
    return b.relabel(whole, dtype) if dtype.itemsize >= 4 else wrap(b, whole, dtype)


def _between_integers(b: CoreMlBuilder, n: Op, x: Value, dtype: np.dtype[np.generic]) -> Value:
    span, limits = b.interval(x), bounds.of_dtype(dtype)
    if limits.low <= span.low and span.high <= limits.high:
        return b.bounded(b.relabel(x, dtype), span)
    if dtype.name in NARROWED:
        n.refuse(f"{x.dtype.name} holds numbers that {dtype.name} has no place for in Core ML's int32")
    if dtype.itemsize == 4:
        return b.relabel(x, dtype)  # the same 32 bits
    return wrap(b, b.relabel(x, np.int32), dtype)
