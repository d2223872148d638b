"""How TFLite stores dtypes that it has no kernels for: one byte per element.

Integers of two and four bits are stored as int8 or uint8, floats of four to eight bits as their bits
in uint8. Only quantised weights keep TFLite's packed INT4.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from numpy.typing import NDArray

_SIGNED = ("int2", "int4")
_UNSIGNED = ("uint2", "uint4")
FLOATS = (
    "float4_e2m1fn",
    "float6_e2m3fn",
    "float6_e3m2fn",
    "float8_e4m3fn",
    "float8_e4m3fnuz",
    "float8_e5m2",
    "float8_e5m2fnuz",
    "float8_e8m0fnu",
)
INTEGERS = _SIGNED + _UNSIGNED


@functools.cache
def stored(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Returns the dtype that a tensor has in the file."""
    if dtype.name in _SIGNED:
        return np.dtype(np.int8)
    if dtype.name in _UNSIGNED or dtype.name in FLOATS:
        return np.dtype(np.uint8)
    return dtype


def stored_data(data: NDArray[Any]) -> NDArray[Any]:
    """Returns the elements as they are in the file."""
    if data.dtype.name in FLOATS:
        return np.ascontiguousarray(data).view(np.uint8)
    return data.astype(stored(data.dtype), copy=False)
