"""Bits of integers: MIL has no ops on them, so they are taken apart by division and put together again."""

from __future__ import annotations

from functools import reduce

import numpy as np

from edgekit.lowering.coreml.bounds import Interval
from edgekit.lowering.coreml.builder import CoreMlBuilder
from edgekit.lowering.coreml.formula import Term
from edgekit.lowering.coreml.integers import result, wrap
from edgekit.lowering.coreml.storage import NARROWED
from edgekit.lowering.coreml.table import lowers
from edgekit.lowering.ledger import Value
from edgekit.lowering.op import Op

_SIGN = -(2**31)


@lowers("BitwiseAnd", "BitwiseOr", "BitwiseXor", since=18)
def bitwise(b: CoreMlBuilder, n: Op) -> Value:
    """BitwiseAnd, BitwiseOr, BitwiseXor -> one sum over the bits, of which int32 holds all that matter."""
    x, y = (Term(b, b.relabel(n.operand(i), np.int32)) for i in (0, 1))
    dtype = n.operand(0).dtype
    width = 31 if dtype.itemsize >= 4 else 8 * dtype.itemsize
    parts = [_bit(n.type, _nth(x, k), _nth(y, k)) * (1 << k) for k in range(width)]
    if dtype.itemsize >= 4:  # the sign stands for all higher bits
        negative = [(v < 0).cast(np.int32) for v in (x, y)]
        parts.append(_bit(n.type, negative[0], negative[1]) * _SIGN)
    made = reduce(lambda p, q: p + q, parts).value
    return wrap(b, made, dtype) if dtype.itemsize < 4 else b.relabel(made, dtype)


def _nth(x: Term, k: int) -> Term:
    return (x if k == 0 else x // (1 << k)) % 2


def _bit(kind: str, x: Term, y: Term) -> Term:
    if kind == "BitwiseAnd":
        return x * y
    return x.maximum(y) if kind == "BitwiseOr" else (x + y) % 2


@lowers("BitShift", since=28)
@lowers("BitShift", since=11)
def bit_shift(b: CoreMlBuilder, n: Op) -> Value:
    """BitShift -> multiplication or division by a power of two, looked up."""
    x, y = n.operand(0), n.operand(1)
    dtype, left = x.dtype, n.attr("direction") == "LEFT"
    width = 8 * dtype.itemsize
    bits = min(width, 32)
    span = b.interval(y)
    asked = Term(b, b.relabel(y, np.int32))
    steps = (asked < 0).where(bits, asked).minimum(bits)  # a negative count shifts everything out
    table = np.asarray([(1 << k) & 0xFFFFFFFF for k in range(bits)] + [0], np.uint32).view(np.int32)
    factor = Term(b, b.op("gather", x=b.const(table), indices=steps.value, axis=0))
    signal = Term(b, b.relabel(x, np.int32))
    if left:
        made = b.relabel((signal * factor).value, dtype)
        if dtype.name in NARROWED:
            if span.low < 0:
                n.refuse(f"a shift of {dtype.name} by a count that may be negative")
            limit = 1 << max(0, min(int(span.high), 63))
            return result(b, n, made, b.interval(x) * Interval(1, limit))
        return wrap(b, made, dtype) if dtype.itemsize < 4 else made
    beyond = steps >= min(bits, 31)  # 31 leaves the sign alone, and 2 ** 31 is no int32
    gone = (signal < 0).where(-1, 0, np.int32) if dtype.kind == "i" else signal * 0
    if dtype != np.uint32 or b.interval(x).is_int32:
        shifted = signal // factor.maximum(1)
        return b.relabel(beyond.where(gone, shifted).value, dtype)
    # The sign bit is a number bit: halve once by hand, which makes it positive.
    half = (
        (signal // 2)
        + ((signal < 0).where(1 << 30, 0, np.int32))
        + ((signal < 0).where(1 << 30, 0, np.int32))
    )
    rest = Term(b, b.op("gather", x=b.const(table), indices=(steps - 1).maximum(0).value, axis=0)).maximum(1)
    beyond = steps >= bits
    return b.relabel(beyond.where(0, steps.equals(0).where(signal, half // rest)).value, dtype)
