"""Conversions to and from dtypes of at most eight bits.

A code is looked up to decode it. To encode, the number of edges that a magnitude reaches tells the code;
edges are the midpoints between two values, moved by one unit in the last place where a tie goes to the
lower, even code.
"""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

from edgekit.lowering.ledger import Value
from edgekit.lowering.tvm.builder import TVMBuilder
from edgekit.lowering.tvm.storage import NARROW_FLOATS, NARROW_INTEGERS, stored
from edgekit.lowering.tvm.term import Term


def to_float(b: TVMBuilder, x: Value) -> Value:
    """Returns float32 of any narrow dtype or integer, exactly; wider floats as they are."""
    if x.data is not None:
        return x if x.dtype.kind == "f" and x.dtype.itemsize > 1 else b.const(x.data.astype(np.float32))
    if x.dtype.name in NARROW_FLOATS:
        codes = np.arange(_codes(x.dtype), dtype=np.uint8)
        table = b.const(codes.view(x.dtype).astype(np.float32))
        index = b.cast(bits(b, x), np.int32)
        return b.op("gather", [table, index], {"axis": 0}, dtype=np.float32, shape=x.shape)
    if x.dtype.name in NARROW_INTEGERS:
        return b.cast(bits(b, x), np.float32)
    return x if x.dtype.kind == "f" else b.cast(x, np.float32)


def bits(b: TVMBuilder, x: Value, dtype: Any = None) -> Value:
    """Reads a tensor as the dtype that it is stored in, or as another of that width."""
    wanted = stored(x.dtype) if dtype is None else np.dtype(dtype)
    if x.data is not None and x.dtype == wanted:
        return x
    return b.op("reinterpret", [x], {"dtype": stored(wanted).name}, dtype=wanted, shape=x.shape)


def to_integer(b: TVMBuilder, x: Value, dtype: np.dtype[Any]) -> Value:
    """Converts to an integer dtype; those of two and four bits keep the low bits."""
    if dtype.name not in NARROW_INTEGERS:
        return b.cast(x, dtype)
    width = ml_dtypes.iinfo(dtype).bits
    low = Term(b, b.cast(x, np.int32)).map("bitwise_and", (1 << width) - 1)
    if dtype.name.startswith("int"):
        sign = 1 << (width - 1)
        low = low.map("bitwise_xor", sign) - sign
    return bits(b, b.cast(low.value, stored(dtype)), dtype)


def encode(b: TVMBuilder, x: Value, dtype: np.dtype[Any], *, saturate: bool, round_mode: str) -> Value:
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
    if dtype.name == "float8_e8m0fnu":
        return _exponent(b, x, dtype, saturate=saturate, round_mode=round_mode)
    edges, codes = _magnitudes(dtype, saturate=saturate)
    number = Term(b, x)
    bucket = b.op("bucket", [number.map("abs").value, b.const(edges)], dtype=np.int32, shape=x.shape)
    code = Term(b, b.op("gather", [b.const(codes), bucket], {"axis": 0}, dtype=np.int32, shape=x.shape))
    code = number.map("is_nan", dtype=np.bool_).map("where", b.const(_nan(dtype), np.int32), code)
    bit = _codes(dtype) // 2
    pattern = Term(b, b.op("reinterpret", [x], {"dtype": "int32"}, dtype=np.int32, shape=x.shape))
    negative = pattern.map("less", 0, dtype=np.bool_).map(
        "logical_and", code.map("less", bit, dtype=np.bool_)
    )
    if dtype.name.endswith("fnuz"):  # there is no negative zero
        negative = negative.map("logical_and", code.map("greater", 0, dtype=np.bool_))
    signed = negative.map("where", code + bit, code, dtype=np.int32)
    return bits(b, b.cast(signed.value, np.uint8), dtype)


def _exponent(b: TVMBuilder, x: Value, dtype: np.dtype[Any], *, saturate: bool, round_mode: str) -> Value:
    """E8M0 is the exponent field of float32; what follows it decides on rounding."""
    pattern = Term(b, b.op("reinterpret", [x], {"dtype": "int32"}, dtype=np.int32, shape=x.shape))
    shifted = pattern.map("bitwise_and", 0x7FFFFFFF) / (1 << 23)
    exponent, fraction = shifted, pattern.map("bitwise_and", (1 << 23) - 1)
    half = 1 << 22
    above, at = (fraction.map(name, half, dtype=np.bool_) for name in ("greater", "equal"))
    tie = at.map("logical_and", exponent.map("greater", 0, dtype=np.bool_))
    rounds_up = {
        "up": fraction.map("greater", 0, dtype=np.bool_),
        "nearest": above.map("logical_or", tie),
        "down": fraction.map("less", 0, dtype=np.bool_),
    }[round_mode]
    room = exponent.map("less", 254 if saturate else 255, dtype=np.bool_)
    code = rounds_up.map("logical_and", room).map("where", exponent + 1, exponent, dtype=np.int32)
    return bits(b, b.cast(code.value, np.uint8), dtype)


def _codes(dtype: np.dtype[Any]) -> int:
    return 1 << int(dtype.name.removeprefix("float").partition("_")[0])


def _nan(dtype: np.dtype[Any]) -> int:
    """What NaN becomes; dtypes without one have a zero for it."""
    return int(np.full(1, np.nan, np.float32).astype(dtype).view(np.uint8)[0])


def _magnitudes(dtype: np.dtype[Any], *, saturate: bool) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """Returns ascending edges of magnitudes and the code of each interval between them."""
    half = np.arange(_codes(dtype) // 2, dtype=np.uint8).view(dtype).astype(np.float32)
    finite = half[np.isfinite(half)]
    codes, reach = list(range(len(finite))), list(finite)
    if not saturate and dtype.name.startswith("float8"):
        reach.append(2 * finite[-1] - finite[-2])
        infinity = np.flatnonzero(np.isinf(half))
        codes.append(int(infinity[0]) if infinity.size else _nan(dtype))
    values = np.asarray(reach, np.float64)
    middles = ((values[:-1] + values[1:]) / 2).astype(np.float32)
    stays = np.arange(len(middles)) % 2 == 0
    edges = np.where(stays, np.nextafter(middles, np.float32(np.inf)), middles)
    return edges.astype(np.float32), np.asarray(codes, np.int32)
