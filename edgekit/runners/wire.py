"""The pipe protocol between edgekit and a worker: a JSON header, then raw array bytes."""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from typing import IO, Any

import ml_dtypes  # noqa: F401 - registers its names with `np.dtype`
import numpy as np

from edgekit.runners.base import Array

_LENGTH = struct.Struct("<Q")
_HEADER_LIMIT = 64 * 2**20
_STRING = "string"

Header = dict[str, Any]


class WireError(Exception):
    """The other side sent something else than a message, or stopped in the middle of one."""


def send(stream: IO[bytes], header: Header, arrays: Sequence[Array] = ()) -> None:
    """Sends a message.

    Args:
        stream: A pipe, opened for writing.
        header: JSON types; the key `arrays` is taken.
        arrays: Any dtype that numpy or ml_dtypes knows, and arrays of text.

    Raises:
        OSError: If the other side is gone.
    """
    packed = [_pack(array) for array in arrays]
    text = json.dumps({**header, "arrays": [description for description, _ in packed]}).encode()
    stream.write(_LENGTH.pack(len(text)))
    stream.write(text)
    for _, raw in packed:
        stream.write(raw.data)
    stream.flush()


def receive(stream: IO[bytes]) -> tuple[Header, list[Array]] | None:
    """Receives a message.

    Args:
        stream: A pipe, opened for reading.

    Returns:
        The header and the arrays, which own their memory; `None` if the other side is gone.

    Raises:
        WireError: If what comes is not a whole message.
    """
    start = stream.read(_LENGTH.size)
    if not start:
        return None
    if len(start) < _LENGTH.size:
        raise WireError("the stream ends inside a message")
    (length,) = _LENGTH.unpack(start)
    if length > _HEADER_LIMIT:
        raise WireError("the stream does not hold a message")
    try:
        header = json.loads(_read(stream, length).tobytes())
        arrays = [_unpack(stream, description) for description in header["arrays"]]
    except (ValueError, KeyError, TypeError) as problem:
        raise WireError(f"the stream does not hold a message: {problem}") from problem
    return header, arrays


def _pack(array: Array) -> tuple[Header, Array]:
    if array.dtype.kind in "OUS":
        raw = np.frombuffer(json.dumps([_text(item) for item in array.reshape(-1)]).encode(), np.uint8)
        return {"dtype": _STRING, "shape": array.shape, "bytes": raw.nbytes}, raw
    raw = np.asarray(array, order="C").reshape(-1).view(np.uint8)
    return {"dtype": array.dtype.name, "shape": array.shape, "bytes": raw.nbytes}, raw


def _unpack(stream: IO[bytes], description: Header) -> Array:
    raw = _read(stream, description["bytes"])
    shape = tuple(description["shape"])
    if description["dtype"] == _STRING:
        array = np.empty(shape, object)
        array.reshape(-1)[:] = json.loads(raw.tobytes())
        return array
    return raw.view(np.dtype(description["dtype"])).reshape(shape)


def _read(stream: IO[bytes], length: int) -> Array:
    raw = np.empty(length, np.uint8)
    view = raw.data
    done = 0
    while done < length:
        count = stream.readinto(view[done:])  # type: ignore[attr-defined]  # pipes are raw or buffered
        if not count:
            raise WireError("the stream ends inside a message")
        done += count
    return raw


def _text(item: object) -> str:
    return item.decode("utf-8", "surrogateescape") if isinstance(item, bytes) else str(item)
