"""Reads traces: every complete record, whatever happened to the others."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import BinaryIO

from edgekit.diagnostics import error
from edgekit.trace.codec import MAGIC, RECORD, Item, Malformed, decode
from edgekit.trace.framing import from_cobs, from_lines
from edgekit.trace.parse import header_of, record_of
from edgekit.trace.record import Damage, Header, Record

RECORD_LIMIT = 1 << 28
"""The most bytes of one record."""
DAMAGE_LIMIT = 1000
"""Damaged places after which a trace is given up."""
_CHUNK = 1 << 16
_PROBE = 1 << 20
_TRIES = 64
_HEADS = (RECORD, MAGIC, b"\xbf\x63end")
_OVERLAP = max(map(len, _HEADS)) - 1


@dataclass(frozen=True, slots=True)
class End:
    """The mark at the end of a trace.

    Attributes:
        records: How many records the writer wrote.
    """

    records: int


@dataclass(frozen=True, slots=True, eq=False)
class TraceFile:
    """A trace that was read whole.

    Attributes:
        header: What it says of itself; `None` if the header was lost.
        records: The records that arrived complete, in their order.
        damage: Places that could not be read.
        expected: How many records the writer wrote; `None` if the end mark is missing.
    """

    header: Header | None
    records: tuple[Record, ...]
    damage: tuple[Damage, ...]
    expected: int | None

    @property
    def complete(self) -> bool:
        """Whether nothing is missing: header, all records, end mark."""
        numbers = [r.sequence for r in self.records]
        whole = self.header is not None and not self.damage
        return whole and self.expected == len(numbers) and numbers == list(range(len(numbers)))

    def missing(self) -> tuple[int, ...]:
        """Returns the numbers of the records that are known to be lost."""
        known = {r.sequence for r in self.records}
        count = self.expected if self.expected is not None else max(known, default=-1) + 1
        return tuple(n for n in range(min(count, max(known, default=0) + _CHUNK)) if n not in known)


def read_trace(source: Path | bytes, *, limit: int = RECORD_LIMIT) -> TraceFile:
    """Reads a trace: a CBOR sequence, COBS frames, or a log with `EKT:` lines; which, is found out.

    Args:
        source: The file, or what it holds.
        limit: The most bytes of one record.

    Raises:
        EdgekitError: EK101 if the file cannot be opened, EK520 if it holds no trace.
    """
    header: Header | None = None
    records: list[Record] = []
    damage: list[Damage] = []
    expected: int | None = None
    with _opened(source) as stream:
        for found in read_chunks(iter(lambda: stream.read(_CHUNK), b""), limit=limit):
            match found:
                case Header():
                    header = found
                case Record():
                    records.append(found)
                case Damage():
                    damage.append(found)
                case End():
                    expected = found.records
    if header is None and not records:
        where = "" if isinstance(source, bytes) else f" `{source.name}`"
        notes = [d.reason for d in damage[:1]]
        raise error("EK520", f"the file{where} holds no trace", notes=notes)
    return TraceFile(header, tuple(records), tuple(damage), expected)


def _opened(source: Path | bytes) -> BinaryIO:
    if isinstance(source, bytes):
        return io.BytesIO(source)
    try:
        return source.open("rb")
    except OSError as raised:
        raise error(
            "EK101", f"the trace `{source}` cannot be opened", notes=[str(raised.strerror)]
        ) from raised


def read_chunks(
    chunks: Iterable[bytes], *, limit: int = RECORD_LIMIT
) -> Iterator[Header | Record | End | Damage]:
    """Reads a trace as it comes, in bounded memory.

    Args:
        chunks: Its bytes in pieces, of a file, a socket or a serial line.
        limit: The most bytes of one record.
    """
    pieces = iter(chunks)
    probe = b""
    unwrap = None
    while unwrap is None and len(probe) <= _PROBE and (piece := next(pieces, None)) is not None:
        probe += piece
        unwrap = _by_start(probe, limit)
    unwrap = unwrap or _by_count(probe, limit)
    if unwrap is None:
        yield Damage(0, len(probe), "neither a CBOR sequence, nor COBS frames, nor `EKT:` lines of a trace")
        return
    yield from _items(_Tape(iter(unwrap(chain((probe,), pieces), limit))), limit)


_Transport = Callable[[Iterable[bytes], int], Iterable[bytes]]


def _plain(chunks: Iterable[bytes], limit: int) -> Iterable[bytes]:
    return chunks


_TRANSPORTS: tuple[_Transport, ...] = (_plain, from_lines, from_cobs)


def _by_start(probe: bytes, limit: int) -> _Transport | None:
    """Returns the transport under which a trace begins with an item."""
    return next((t for t in _TRANSPORTS if _whole_items(probe, t, limit, 1)), None)


def _by_count(probe: bytes, limit: int) -> _Transport | None:
    """Returns the transport under which the middle of a trace has most items."""
    counts = {t: _whole_items(probe, t, limit, _TRIES) for t in _TRANSPORTS}
    best = max(counts, key=lambda t: counts[t])
    return best if counts[best] else None


def _whole_items(probe: bytes, transport: _Transport, limit: int, tries: int) -> int:
    items = islice(_items(_Tape(iter(transport((probe,), limit))), limit), tries)
    return sum(not isinstance(item, Damage) for item in items)


class _Tape:
    """Bytes in pieces that can be given back."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._held = b""
        self._at = 0

    def read(self, size: int) -> bytes:
        """Returns up to `size` bytes; fewer only at the end."""
        while len(self._held) - self._at < size:
            piece = next(self._pieces, None)
            if piece is None:
                break
            self._held = self._held[self._at :] + piece
            self._at = 0
        got = self._held[self._at : self._at + size]
        self._at += len(got)
        return got

    def give_back(self, taken: bytes) -> None:
        """Puts bytes in front of what comes next."""
        self._held = taken + self._held[self._at :]
        self._at = 0


def _items(tape: _Tape, limit: int) -> Iterator[Header | Record | End | Damage]:
    offset = damaged = 0
    while damaged < DAMAGE_LIMIT:
        try:
            item, taken = decode(tape, limit)
            if item is None:
                return
            found = _found(item)
        except Malformed as raised:
            reason, held = raised.args if len(raised.args) == 2 else (str(raised), taken)
            lost = _to_next(tape, held)
            yield Damage(offset, lost, reason)
            offset += lost
            damaged += 1
            continue
        offset += len(taken)
        yield found
    yield Damage(offset, 0, f"more than {DAMAGE_LIMIT} damaged places; the rest was not read")


def _found(item: Item) -> Header | Record | End:
    if "ekt" in item:
        return header_of(item)
    if isinstance(count := item.get("end"), int):
        return End(count)
    return record_of(item)


def _to_next(tape: _Tape, held: bytes) -> int:
    """Moves on to where the next item may begin, and returns how many bytes that passes over."""
    window = held + (b"" if len(held) > _OVERLAP else tape.read(_CHUNK))
    lost, begin = 0, 1
    while True:
        at = _next_head(window, begin)
        if at is not None:
            tape.give_back(window[at:])
            return lost + at
        more = tape.read(_CHUNK)
        if not more:
            return lost + len(window)
        keep = window[-_OVERLAP:]
        lost += len(window) - len(keep)
        window, begin = keep + more, 0


def _next_head(window: bytes, begin: int) -> int | None:
    places = [at for head in _HEADS if (at := window.find(head, begin)) >= 0]
    return min(places, default=None)
