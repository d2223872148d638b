"""Transports that wrap a trace: COBS frames of a serial line, and `EKT:` lines in a log."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Iterator

LINE = re.compile(rb"EKT:([A-Za-z0-9+/]+={0,2})")
BYTES_PER_LINE = 48


def cobs_encode(payload: bytes) -> bytes:
    """Returns a frame without zero bytes, and the zero that ends it.

    Source: Cheshire and Baker, "Consistent overhead byte stuffing", 1999.
    """
    frame = bytearray()
    for part in (payload + b"\0").split(b"\0")[:-1]:
        while len(part) >= 254:
            frame += b"\xff" + part[:254]
            part = part[254:]
        frame += bytes([len(part) + 1]) + part
    return bytes(frame) + b"\0"


def cobs_decode(frame: bytes) -> bytes:
    """Returns what a frame without its final zero holds; of a broken one, what comes before the break."""
    payload = bytearray()
    at = 0
    while at < len(frame):
        size = frame[at]
        payload += frame[at + 1 : at + size]
        at += size
        if size < 255 and at < len(frame):
            payload += b"\0"
    return bytes(payload)


def from_cobs(chunks: Iterable[bytes], limit: int) -> Iterator[bytes]:
    """Yields what the frames of a serial line hold.

    Args:
        chunks: The line's bytes in pieces.
        limit: The most bytes of a frame; the start of a longer one is passed on as it is.
    """
    pending = bytearray()
    for chunk in chunks:
        pending += chunk
        *frames, rest = pending.split(b"\0")
        yield from (cobs_decode(bytes(frame)) for frame in frames)
        pending = bytearray(rest)
        if len(pending) > limit:
            yield cobs_decode(bytes(pending))
            pending.clear()
    if pending:
        yield cobs_decode(bytes(pending))


def to_lines(payload: bytes) -> bytes:
    """Returns an item of a trace as lines for a log."""
    pieces = (payload[i : i + BYTES_PER_LINE] for i in range(0, len(payload), BYTES_PER_LINE))
    return b"".join(b"EKT:" + base64.b64encode(piece) + b"\n" for piece in pieces)


def from_lines(chunks: Iterable[bytes], limit: int) -> Iterator[bytes]:
    """Yields what the `EKT:` lines of a log hold, wherever in a line they stand; other lines are passed over.

    A line that is no base64 is left out: the CRC of its record then says that something is missing.

    Args:
        chunks: The log's bytes in pieces.
        limit: The most bytes of a line; what is longer is taken as several.
    """
    pending = b""
    for chunk in chunks:
        *lines, pending = (pending + chunk).split(b"\n")
        if len(pending) > limit:
            lines, pending = [*lines, pending], b""
        for line in lines:
            yield from _line(line)
    yield from _line(pending)


def _line(line: bytes) -> Iterator[bytes]:
    for match in LINE.finditer(line):
        try:
            yield base64.b64decode(match[1], validate=True)
        except binascii.Error:
            continue  # the record's CRC reports it
