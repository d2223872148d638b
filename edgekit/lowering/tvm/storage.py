"""How tensors of dtypes that TVM does not compute with lie in memory.

Floats of four to eight bits and bfloat16 are kept as their bits, integers of two and four bits as int8 or
uint8, one element each. Only casts, and ops that move elements unread, meet them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

NARROW_FLOATS = (
    "float4_e2m1fn",
    "float8_e4m3fn",
    "float8_e4m3fnuz",
    "float8_e5m2",
    "float8_e5m2fnuz",
    "float8_e8m0fnu",
)
NARROW_INTEGERS = ("int2", "int4", "uint2", "uint4")
_STORED: dict[str, np.dtype[Any]] = {
    **dict.fromkeys(NARROW_FLOATS, np.dtype(np.uint8)),
    "bfloat16": np.dtype(np.uint16),
    "int2": np.dtype(np.int8),
    "int4": np.dtype(np.int8),
    "uint2": np.dtype(np.uint8),
    "uint4": np.dtype(np.uint8),
}


def stored(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Returns the dtype that a tensor has in the library."""
    return _STORED.get(dtype.name, dtype)


def stored_data(data: NDArray[Any]) -> NDArray[Any]:
    """Returns the elements as they lie in the library."""
    if data.dtype.name in NARROW_FLOATS or data.dtype.name == "bfloat16":
        return np.array(data, order="C").view(stored(data.dtype))
    return np.asarray(data.astype(stored(data.dtype), copy=False), order="C")
