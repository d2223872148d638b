"""What Core ML keeps a dtype in: floats of 32 and 16 bits, int32 for every integer, bool inside."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.lowering.op import Unlowerable

INT32 = np.dtype(np.int32)
INT32_MIN, INT32_MAX = -(2**31), 2**31 - 1
_KEPT = ("float32", "float16", "bool", "int32")
_AS_INT32 = ("int8", "int16", "int64", "uint8", "uint16", "uint32", "uint64")
NARROWED = ("int64", "uint64")
"""Dtypes of which int32 holds only a part; the values must be known to fit."""


def storage(dtype: np.dtype[Any]) -> np.dtype[Any] | None:
    """Returns the dtype that holds values of `dtype` inside a program; `None` if there is none.

    uint32 is kept as the same 32 bits.
    """
    if dtype.name in _KEPT:
        return dtype
    return INT32 if dtype.name in _AS_INT32 else None


def require(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Returns the storage of a dtype.

    Raises:
        Unlowerable: If Core ML has none (EK303).
    """
    kept = storage(dtype)
    if kept is None:
        name = "string" if dtype.kind == "O" else dtype.name
        raise Unlowerable(f"Core ML has no tensors of dtype {name}", code="EK303")
    return kept


def stored_data(data: NDArray[Any]) -> NDArray[Any]:
    """Returns the elements of a constant as they are stored.

    Raises:
        Unlowerable: If a number does not fit into int32, or the dtype has no storage.
    """
    kept = require(data.dtype)
    if data.dtype.name in NARROWED and data.size and not fits(int(data.min()), int(data.max())):
        raise Unlowerable(f"a constant of dtype {data.dtype.name} does not fit into Core ML's int32")
    return data if data.dtype == kept else data.astype(kept)


def fits(low: float, high: float) -> bool:
    """Tells whether all numbers of an interval are int32."""
    return low >= INT32_MIN and high <= INT32_MAX
