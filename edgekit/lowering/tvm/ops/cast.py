"""Changes of dtype."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir

from edgekit.ir import numpy_dtype
from edgekit.lowering.ledger import Value
from edgekit.lowering.op import Op
from edgekit.lowering.tvm import narrow
from edgekit.lowering.tvm.builder import TVMBuilder
from edgekit.lowering.tvm.storage import NARROW_FLOATS, NARROW_INTEGERS
from edgekit.lowering.tvm.table import lowers

_HELD_BY_FLOAT32 = ("float32", "float16", "bfloat16", "int8", "uint8", "int16", "uint16", "bool",
                    *NARROW_FLOATS, *NARROW_INTEGERS)  # fmt: skip


@lowers("Cast", since=6)
def cast(b: TVMBuilder, n: Op) -> Value:
    """Converts to a dtype."""
    return _converted(b, n, n.operand(0), numpy_dtype(ir.DataType(n.attr("to"))))


@lowers("CastLike", since=15)
def cast_like(b: TVMBuilder, n: Op) -> Value:
    """Converts to the second operand's dtype."""
    return _converted(b, n, n.operand(0), n.operand(1).dtype)


def _converted(b: TVMBuilder, n: Op, x: Value, to: np.dtype[Any]) -> Value:
    if x.dtype == to:
        return x
    if "O" in (x.dtype.kind, to.kind):
        n.refuse("strings cannot be converted", code="EK303")
    narrow_source = x.dtype.name in (*NARROW_FLOATS, *NARROW_INTEGERS)
    if to.name in NARROW_FLOATS:
        if x.dtype.name not in _HELD_BY_FLOAT32:
            n.refuse(f"{x.dtype.name} would be rounded twice on the way to {to.name}", code="EK303")
        real = b.cast(narrow.to_float(b, x), np.float32)
        saturate, mode = bool(n.attr("saturate", 1)), n.attr("round_mode", "up")
        return narrow.encode(b, real, to, saturate=saturate, round_mode=mode)
    plain = narrow.to_float(b, x) if narrow_source else x
    if to.name in NARROW_INTEGERS:
        return narrow.to_integer(b, plain, to)
    wide = plain.dtype.name in ("float64", "int32", "uint32", "int64", "uint64")
    if to.name == "bfloat16" and wide and plain.data is None:
        n.refuse(f"{plain.dtype.name} would be rounded twice on the way to bfloat16", code="EK303")
    return b.cast(plain, to)


@lowers("BitCast", since=26)
def bit_cast(b: TVMBuilder, n: Op) -> Value:
    """Reads the bits as another dtype of the same width."""
    x, to = n.operand(0), numpy_dtype(ir.DataType(n.attr("to")))
    if "bool" in (x.dtype.name, to.name) and x.dtype != to:
        n.refuse("the bits of booleans", code="EK303")
    return narrow.bits(b, x, to)
