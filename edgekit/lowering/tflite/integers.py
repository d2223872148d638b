"""Integer arithmetic in dtypes that LiteRT has no kernels for: the same bits, read differently."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from edgekit.lowering.ledger import Value
from edgekit.lowering.tflite.builder import TFLiteBuilder
from edgekit.lowering.tflite.kernels import carried
from edgekit.lowering.tflite.movement import bitcast

ARITHMETIC = ("float32", "int32", "int64")
"""What ADD, SUB, MUL, MAXIMUM, MINIMUM, the comparisons and the reductions have kernels for.

They also take narrower integers, but read them as quantised numbers or round in between.
"""

_SIGN = -(2**63)


def modular(b: TFLiteBuilder, values: Sequence[Value], compute: Callable[..., Value]) -> Value:
    """Computes sums, differences and products of any dtype.

    Two's complement gives the same bits whether they are read as signed or not, so uint64 is
    computed as int64.
    """
    if values[0].dtype == np.uint64:
        signed = [bitcast(b, v, np.int64) for v in values]
        return bitcast(b, compute(*signed), np.uint64)
    return carried(b, values, ARITHMETIC, compute)


def ordered(b: TFLiteBuilder, values: Sequence[Value], compute: Callable[..., Value]) -> Value:
    """Computes what only depends on the order of the operands and returns one of them.

    uint64 is shifted by 2**63, which maps its order onto that of int64.
    """
    if values[0].dtype != np.uint64:
        return carried(b, values, ARITHMETIC, compute)
    shifted = [signed_order(b, v) for v in values]
    result = b.binary("ADD", compute(*shifted), b.const(_SIGN, np.int64))
    return bitcast(b, result, np.uint64)


def signed_order(b: TFLiteBuilder, x: Value) -> Value:
    """Maps uint64 to int64 so that the order stays."""
    return b.binary("ADD", bitcast(b, x, np.int64), b.const(_SIGN, np.int64))
