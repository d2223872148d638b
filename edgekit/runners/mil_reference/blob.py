"""Reads the file of weights: a header, then for each tensor a record and its data."""

from __future__ import annotations

import math
import struct
from pathlib import Path

import numpy as np

from edgekit.runners.mil_reference.package import unreadable
from edgekit.runners.mil_reference.types import Array, TensorType

_HEADER = struct.Struct("<II56x")
"""How many records there are, and the version."""
_RECORD = struct.Struct("<IIQQQ32x")
"""Sentinel, kind, size in bytes, offset of the data, unused bits at its end."""
_SENTINEL = 0xDEADBEEF
_VERSION = 2
_KINDS = {
    1: "fp16", 2: "fp32", 3: "uint8", 4: "int8", 6: "int16", 7: "uint16", 8: "int4", 9: "uint1", 10: "uint2",
    11: "uint4", 12: "uint3", 13: "uint6", 14: "int32", 15: "uint32",
}  # fmt: skip


class Blob:
    """An open file of weights; data are read when they are asked for."""

    def __init__(self, path: Path) -> None:
        """Opens a file.

        Raises:
            EdgekitError: EK507 if it has no valid header.
        """
        self._name = path.name
        try:
            self._data = np.memmap(path, np.uint8, "r")
        except (OSError, ValueError) as problem:
            raise unreadable(f"`{path.name}` cannot be read: {problem}") from problem
        if self._data.size < _HEADER.size:
            raise unreadable(f"`{path.name}` is too short for a header")
        _, version = _HEADER.unpack(self._data[: _HEADER.size].tobytes())
        if version != _VERSION:
            raise unreadable(f"`{path.name}` has the version {version} instead of {_VERSION}")

    def read(self, offset: int, wanted: TensorType) -> Array:
        """Reads a tensor.

        Args:
            offset: Where its record starts.
            wanted: Its type, of known sizes.

        Returns:
            A copy of the data.

        Raises:
            EdgekitError: EK507 if there is no such record, or it holds something else.
        """
        start, size, unused = self._record(offset, wanted)
        count = math.prod(s or 0 for s in wanted.shape or ())
        element = wanted.element
        if size * 8 - unused != count * element.bits or not 0 <= unused < 8:
            raise self._damaged(offset, f"it holds {size} bytes, {unused} bits unused, instead of {wanted}")
        raw = self._data[start : start + size]
        if element.bits < 8:
            return unpack(raw, count, element.bits, signed=element.is_signed).reshape(_sizes(wanted))
        return np.frombuffer(raw.tobytes(), element.carrier.newbyteorder("<")).astype(
            element.carrier
        ).reshape(_sizes(wanted))  # fmt: skip

    def _record(self, offset: int, wanted: TensorType) -> tuple[int, int, int]:
        if not _HEADER.size <= offset <= self._data.size - _RECORD.size:
            raise self._damaged(offset, f"the file has {self._data.size} bytes")
        fields = self._data[offset : offset + _RECORD.size].tobytes()
        sentinel, kind, size, start, unused = _RECORD.unpack(fields)
        if sentinel != _SENTINEL:
            raise self._damaged(offset, "it does not start as records do")
        if _KINDS.get(kind) != wanted.element.name:
            held = _KINDS.get(kind, f"kind {kind}")
            raise self._damaged(offset, f"it holds {held}, the program says {wanted.element.name}")
        if start < offset + _RECORD.size or start + size > self._data.size:
            raise self._damaged(offset, f"its data would end at {start + size} of {self._data.size} bytes")
        return start, size, unused

    def _damaged(self, offset: int, why: str) -> Exception:
        return unreadable(f"`{self._name}` has no valid tensor at {offset}: {why}")


def unpack(raw: Array, count: int, bits: int, *, signed: bool) -> Array:
    """Unpacks numbers of fewer than 8 bits, which follow each other from the lowest bit up.

    Args:
        raw: Bytes.
        count: How many numbers there are.
        bits: Their width.
        signed: Whether the highest bit is a sign.

    Returns:
        `[count]`, int8 or uint8.

    Raises:
        ValueError: If there are too few bytes.
    """
    stream = np.unpackbits(np.asarray(raw, np.uint8), bitorder="little")
    if stream.size < count * bits:
        raise ValueError(f"{raw.size} bytes cannot hold {count} numbers of {bits} bits")
    digits = stream[: count * bits].reshape(count, bits)
    values = np.asarray((digits << np.arange(bits, dtype=np.uint8)).sum(1, dtype=np.uint8))
    if not signed:
        return values
    top = np.int8(1 << bits - 1)
    return np.asarray((values.astype(np.int8) ^ top) - top)


def _sizes(wanted: TensorType) -> tuple[int, ...]:
    return tuple(s or 0 for s in wanted.shape or ())
