"""Changes of dtype."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir

from edgekit.ir import numpy_dtype
from edgekit.lowering.ledger import Value
from edgekit.lowering.op import Op
from edgekit.lowering.tflite.builder import TFLiteBuilder
from edgekit.lowering.tflite.kernels import FLOAT_TYPES
from edgekit.lowering.tflite.movement import bitcast
from edgekit.lowering.tflite.narrow import decode, encode, to_narrow_integer
from edgekit.lowering.tflite.storage import FLOATS, INTEGERS, stored
from edgekit.lowering.tflite.table import lowers

_HELD_BY_FLOAT32 = ("float32", "float16", "bfloat16", "int8", "uint8", "int16", "uint16", "bool")
_KERNELS = ("float32", "float64", "float16", "bfloat16", "int8", "uint8", "int16", "uint16", "int32",
            "uint32", "int64", "bool")  # fmt: skip


@lowers("Cast", since=6)
def cast(b: TFLiteBuilder, n: Op) -> Value:
    """Cast -> CAST."""
    return _converted(b, n, n.operand(0), numpy_dtype(ir.DataType(n.attr("to"))))


@lowers("CastLike", since=15)
def cast_like(b: TFLiteBuilder, n: Op) -> Value:
    """CastLike -> CAST to the second operand's dtype."""
    return _converted(b, n, n.operand(0), n.operand(1).dtype)


def _converted(b: TFLiteBuilder, n: Op, x: Value, to: np.dtype[Any]) -> Value:
    if x.dtype == to:
        return x
    if "O" in (x.dtype.kind, to.kind):
        n.refuse("strings cannot be converted", code="EK303")
    if x.dtype == np.uint64:
        return _from_uint64(b, n, x, to)
    if to == np.uint64:
        return _to_uint64(b, n, x)
    return _encoded(b, n, _decoded(b, x), to)


def _decoded(b: TFLiteBuilder, x: Value) -> Value:
    """Brings dtypes that only storage knows to one that CAST reads."""
    if x.dtype.name in FLOATS:
        return decode(b, x)
    return bitcast(b, x, stored(x.dtype))


def _encoded(b: TFLiteBuilder, n: Op, x: Value, to: np.dtype[Any]) -> Value:
    is_float = x.dtype.name in FLOAT_TYPES
    if to.name in FLOATS:
        if x.dtype.name not in _HELD_BY_FLOAT32:
            n.refuse(f"{x.dtype.name} would be rounded twice on the way to {to.name}", code="EK303")
        saturate, mode = bool(n.attr("saturate", 1)), n.attr("round_mode", "up")
        return encode(b, b.cast(x, np.float32), to, saturate=saturate, round_mode=mode)
    if to.name in INTEGERS:
        return to_narrow_integer(b, b.cast(x, np.int32), to)
    if is_float and to.kind in "iu" and to.itemsize < 4:
        # Out of range, CAST saturates and ONNX Runtime keeps the low bits; ONNX leaves it open.
        return b.cast(b.cast(x, np.int32), to)
    return b.cast(x, to)


def _from_uint64(b: TFLiteBuilder, n: Op, x: Value, to: np.dtype[Any]) -> Value:
    """The low bits are the same whether the number is read as signed or not."""
    bits = bitcast(b, x, np.int64)
    if to.kind not in "iub":
        n.refuse(f"no kernel reads uint64 as {to.name}", code="EK303")
    return b.cast(bits, to)


def _to_uint64(b: TFLiteBuilder, n: Op, x: Value) -> Value:
    if x.dtype.kind not in "iub":
        n.refuse(f"no kernel converts {x.dtype.name} to uint64", code="EK303")
    return bitcast(b, b.cast(x, np.int64), np.uint64)


@lowers("BitCast", since=26)
def bit_cast(b: TFLiteBuilder, n: Op) -> Value:
    """BitCast -> BITCAST, between dtypes of one width."""
    x, to = n.operand(0), numpy_dtype(ir.DataType(n.attr("to")))
    for dtype in (x.dtype, to):
        if dtype.name not in (*_KERNELS, "uint64"):
            n.refuse(f"no kernel holds the bits of {dtype.name}", code="EK303")
    return bitcast(b, x, to)
