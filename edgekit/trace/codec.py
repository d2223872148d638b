"""One item of a trace as bytes and back: CBOR (RFC 8949) in the few forms that the format allows."""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import IO, Any, Protocol, cast

import cbor2
import numpy as np
from numpy.typing import NDArray

from edgekit.trace.dtypes import TAGS, elements, to_bytes

MAGIC = bytes.fromhex("d9d9f7")
"""Self-described CBOR (RFC 8949, section 3.4.6): the first bytes of a trace."""
RECORD = b"\xbf\x63seq"
"""The first bytes of each record: a map of indefinite length whose first key is `seq`."""
BREAK = b"\xff"
_SELF_DESCRIBED = 55799
_DEPTH = 4


class Malformed(Exception):  # noqa: N818 - about the bytes, not about the program
    """Bytes that are no item of a trace; the text says why."""


class Cut(Malformed):
    """The bytes end within an item."""


class Source(Protocol):
    """Where items are read from."""

    def read(self, size: int, /) -> bytes:
        """Returns up to `size` bytes; none at the end."""
        ...


Item = Mapping[str, Any]
"""Keys and values: int, str, or a vector."""


def encode(pairs: Mapping[str, int | str | NDArray[Any]], *, first: bool = False) -> bytes:
    """Returns the bytes of an item, closed by the CRC-32 of what comes before its value.

    Args:
        pairs: What it says, in order.
        first: Whether it opens the trace, with the magic bytes.
    """
    parts = [MAGIC] if first else []
    parts.append(b"\xbf")
    for key, value in pairs.items():
        parts += [cbor2.dumps(key), _value(value)]
    parts.append(cbor2.dumps("crc32"))
    body = b"".join(parts)
    return body + cbor2.dumps(zlib.crc32(body)) + BREAK


def _value(value: int | str | NDArray[Any]) -> bytes:
    if isinstance(value, np.ndarray):
        tag, payload = to_bytes(value)
        return cbor2.dumps(cbor2.CBORTag(tag, payload))
    return cbor2.dumps(value)


@dataclass
class _Tape:
    """Reads exactly what the decoder asks for, and remembers it.

    It cannot seek, and the decoder therefore never reads ahead of an item.
    """

    source: Source
    limit: int

    def __post_init__(self) -> None:
        self.taken = bytearray()

    def read(self, size: int) -> bytes:
        if len(self.taken) + size > self.limit:
            raise Malformed(f"an item of more than {self.limit} bytes")
        got = self.source.read(size)
        self.taken += got
        return got

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return False


class _Tags(Mapping[int, Callable[..., Any]]):
    """Decoders of tags: typed arrays; all others are refused, whatever the library makes of them."""

    def __getitem__(self, tag: int) -> Callable[..., Any]:
        if tag == _SELF_DESCRIBED:
            return lambda value, *_: value
        if tag not in TAGS:
            raise Malformed(f"the tag {tag}")
        return lambda value, *_: _array(tag, value)

    def __iter__(self) -> Iterator[int]:
        return iter(TAGS)

    def __len__(self) -> int:
        return len(TAGS)


def _array(tag: int, payload: object) -> NDArray[Any]:
    if not isinstance(payload, bytes):
        raise Malformed("a typed array that is no byte string")
    try:
        return elements(tag, payload)
    except ValueError as raised:
        raise Malformed(f"a typed array cut within an element ({len(payload)} bytes)") from raised


def decode(source: Source, limit: int) -> tuple[Item | None, bytes]:
    """Reads the next item.

    Args:
        source: Where from.
        limit: The most bytes that an item may have.

    Returns:
        The item, `None` where the source has ended; and the bytes that were taken for it.

    Raises:
        Malformed: If what comes is no item, or its CRC differs; `Cut` if it ends too early. The second
            argument of the exception holds the bytes taken.
    """
    tape = _Tape(source, limit)
    try:
        item = _decode(tape)
    except Malformed as raised:
        raise type(raised)(str(raised), bytes(tape.taken)) from raised
    return item, bytes(tape.taken)


def _decode(tape: _Tape) -> Item | None:
    decoder = cbor2.CBORDecoder(
        cast(IO[bytes], tape),
        semantic_decoders=_Tags(),
        read_size=1,
        max_depth=_DEPTH,
        allow_duplicate_keys=False,
    )
    try:
        item = decoder.decode()
    except cbor2.CBORDecodeEOF as raised:
        if not tape.taken:
            return None
        raise Cut("the trace ends within a record") from raised
    except (cbor2.CBORError, ValueError, OverflowError, TypeError) as raised:
        cause = raised.__cause__
        raise Malformed(str(cause if isinstance(cause, Malformed) else raised)) from raised
    if not isinstance(item, dict) or not all(isinstance(key, str) for key in item):
        raise Malformed("an item that is no map of texts")
    _check_crc(item, bytes(tape.taken))
    return item


def _check_crc(item: Item, taken: bytes) -> None:
    crc = item.get("crc32")
    if not isinstance(crc, int) or isinstance(crc, bool):
        raise Malformed("a record without its CRC")
    tail = cbor2.dumps(crc) + BREAK
    if not taken.endswith(tail):
        raise Malformed("a record that does not close with its CRC")
    found = zlib.crc32(taken[: -len(tail)])
    if found != crc:
        raise Malformed(f"a record whose CRC-32 is {found:08x}, not {crc:08x}")


def decode_bytes(payload: bytes) -> Item:
    """Reads an item from bytes that hold it and nothing else.

    Raises:
        Malformed: If they do not.
    """
    item, taken = decode(io.BytesIO(payload), len(payload))
    if item is None or len(taken) != len(payload):
        raise Malformed("bytes that are not one item")
    return item
