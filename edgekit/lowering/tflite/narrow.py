"""Conversions to and from dtypes of at most eight bits, by table.

A code is looked up to decode it. To encode, BUCKETIZE finds between which two values a magnitude
lies; its boundaries are the midpoints, moved by one unit in the last place where a tie goes to the
lower, even code.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.lowering.ledger import Value
from edgekit.lowering.tflite.builder import TFLiteBuilder
from edgekit.lowering.tflite.formula import Term
from edgekit.lowering.tflite.movement import bitcast
from edgekit.lowering.tflite.storage import FLOATS, stored

_E8M0 = "float8_e8m0fnu"


def decode(b: TFLiteBuilder, x: Value) -> Value:
    """Returns float32 values of a narrow float, exactly."""
    codes = np.arange(_code_count(x.dtype), dtype=np.uint8)
    table = b.const(codes.view(x.dtype).astype(np.float32))
    index = b.cast(bitcast(b, x, np.uint8), np.int32)
    return b.op("GATHER", [table, index], {"axis": 0}, dtype=np.float32, shape=x.shape)


def encode(b: TFLiteBuilder, x: Value, dtype: np.dtype[Any], *, saturate: bool, round_mode: str) -> Value:
    """Rounds float32 to a narrow float.

    Args:
        b: The builder.
        x: float32.
        dtype: The narrow float.
        saturate: What lies beyond the largest value becomes that, else infinity or NaN.
        round_mode: `nearest` (ties to even); `up` or `down` for the exponents of E8M0.

    Returns:
        Values of the narrow dtype. Source: ONNX, tables of the operator Cast.
    """
    if dtype.name == _E8M0:
        return _encode_exponent(b, x, dtype, saturate=saturate, round_mode=round_mode)
    edges, codes = _magnitudes(dtype, saturate=saturate)
    bucket = b.op("BUCKETIZE", [b.unary("ABS", x)], {"boundaries": edges}, dtype=np.int32, shape=x.shape)
    code = Term(b, b.op("GATHER", [b.const(codes), bucket], {"axis": 0}, dtype=np.int32, shape=x.shape))
    number = Term(b, x)
    code = number.equals(number).where(code, _nan_code(dtype))
    sign = Term(b, bitcast(b, x, np.int32)) < 0
    bit = _code_count(dtype) // 2
    if dtype.name.endswith("fnuz"):
        signed = ((code > 0) & (code < bit) & sign).where(code + bit, code)
    else:
        signed = (sign & (code < bit)).where(code + bit, code)
    return bitcast(b, b.cast(signed.value, np.uint8), dtype)


def _encode_exponent(
    b: TFLiteBuilder, x: Value, dtype: np.dtype[Any], *, saturate: bool, round_mode: str
) -> Value:
    """E8M0 is the exponent field of float32; what follows it decides on rounding."""
    bits = bitcast(b, x, np.int32)
    shifted = b.binary("RIGHT_SHIFT", bits, b.const(23, np.int32))
    exponent = Term(b, b.binary("FLOOR_MOD", shifted, b.const(256, np.int32)))
    fraction = Term(b, b.binary("FLOOR_MOD", bits, b.const(1 << 23, np.int32)))
    half = 1 << 22
    rounds_up = {
        "up": fraction > 0,
        "nearest": (fraction > half) | (fraction.equals(half) & (exponent > 0)),
        "down": fraction < 0,
    }[round_mode]
    limit = 254 if saturate else 255
    code = (rounds_up & (exponent < limit)).where(exponent + 1, exponent)
    return bitcast(b, code.cast(np.uint8).value, dtype)


def to_narrow_integer(b: TFLiteBuilder, x: Value, dtype: np.dtype[Any]) -> Value:
    """Keeps the low bits of int32, as two's complement does."""
    width = int(dtype.name.removeprefix("u").removeprefix("int"))
    low = Term(b, b.binary("FLOOR_MOD", x, b.const(1 << width, np.int32)))
    if dtype.name.startswith("int"):
        low = (low >= 1 << (width - 1)).where(low - (1 << width), low)
    return bitcast(b, b.cast(low.value, stored(dtype)), dtype)


def _code_count(dtype: np.dtype[Any]) -> int:
    return 1 << int(dtype.name.removeprefix("float").partition("_")[0])


def _has_nan(dtype: np.dtype[Any]) -> bool:
    return dtype.name.startswith("float8")


def _nan_code(dtype: np.dtype[Any]) -> int:
    """What NaN becomes; dtypes without one have a zero for it."""
    return int(np.full(1, np.nan, np.float32).astype(dtype).view(np.uint8)[0])


def _magnitudes(dtype: np.dtype[Any], *, saturate: bool) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """Returns ascending edges of magnitudes and the code of each interval between them."""
    assert dtype.name in FLOATS
    half = np.arange(_code_count(dtype) // 2, dtype=np.uint8).view(dtype).astype(np.float32)
    finite = half[np.isfinite(half)]
    codes = list(range(len(finite)))
    reach = list(finite)
    if not saturate and _has_nan(dtype):
        reach.append(2 * finite[-1] - finite[-2])
        infinity = np.flatnonzero(np.isinf(half))
        codes.append(int(infinity[0]) if infinity.size else _nan_code(dtype))
    values = np.asarray(reach, np.float64)
    middles = ((values[:-1] + values[1:]) / 2).astype(np.float32)
    stays = np.arange(len(middles)) % 2 == 0
    edges = np.where(stays, np.nextafter(middles, np.float32(np.inf)), middles)
    return edges, np.asarray(codes, np.int32)
