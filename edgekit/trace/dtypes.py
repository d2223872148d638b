"""Elements of a trace: dtype names, and the typed arrays of RFC 8746 that carry them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

DTYPES: Mapping[str, np.dtype[Any]] = {
    **{
        n: np.dtype(n)
        for n in ("bool", "uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64")
    },
    **{n: np.dtype(n) for n in ("float16", "float32", "float64")},
    "bfloat16": np.dtype(ml_dtypes.bfloat16),
}
"""The dtypes that a record can have, by name."""

STORED: Mapping[str, str] = {"bool": "uint8", "bfloat16": "uint16"}
"""What stands for dtypes that RFC 8746 does not know."""

TAGS: Mapping[int, np.dtype[Any]] = {
    64: np.dtype("u1"), 65: np.dtype(">u2"), 66: np.dtype(">u4"), 67: np.dtype(">u8"),
    69: np.dtype("<u2"), 70: np.dtype("<u4"), 71: np.dtype("<u8"),
    72: np.dtype("i1"), 73: np.dtype(">i2"), 74: np.dtype(">i4"), 75: np.dtype(">i8"),
    77: np.dtype("<i2"), 78: np.dtype("<i4"), 79: np.dtype("<i8"),
    80: np.dtype(">f2"), 81: np.dtype(">f4"), 82: np.dtype(">f8"),
    84: np.dtype("<f2"), 85: np.dtype("<f4"), 86: np.dtype("<f8"),
}  # fmt: skip
"""The element type of each tag (RFC 8746, section 2.1), but for 128-bit floats and clamped bytes."""

_TAG_OF = {dtype: tag for tag, dtype in TAGS.items()}


def to_bytes(array: NDArray[Any]) -> tuple[int, bytes]:
    """Returns the tag and the little-endian bytes of an array.

    Raises:
        ValueError: If a trace cannot hold its dtype.
    """
    name = array.dtype.name
    if name not in DTYPES:
        raise ValueError(f"a trace holds no {name}")
    stored = np.ascontiguousarray(array).view(STORED.get(name, array.dtype))
    little = stored.astype(stored.dtype.newbyteorder("<"), copy=False)
    return _TAG_OF[little.dtype], little.tobytes()


def elements(tag: int, payload: bytes) -> NDArray[Any]:
    """Returns a typed array as a vector in native byte order.

    Args:
        tag: A key of `TAGS`.
        payload: Its bytes.

    Raises:
        ValueError: If they are no whole number of elements.
    """
    dtype = TAGS[tag]
    return np.frombuffer(payload, dtype).astype(dtype.newbyteorder("="), copy=False)


def as_dtype(vector: NDArray[Any], name: str) -> NDArray[Any]:
    """Returns elements as stored under the dtype that their record names.

    Raises:
        ValueError: If the elements are of another type.
    """
    wanted = DTYPES[name]
    if vector.dtype.name != STORED.get(name, name):
        raise ValueError(f"elements of {vector.dtype.name} in a record of {name}")
    if name == "bool" and np.any(vector > 1):
        raise ValueError("a bool that is neither 0 nor 1")
    return vector.view(wanted)
