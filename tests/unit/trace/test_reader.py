"""A trace gives every complete record, whatever happened to the others, and never more than a limit."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgekit.diagnostics import EdgekitError
from edgekit.ir import Quant
from edgekit.trace import Damage, Header, Level, Record, TraceFile, TraceWriter, read_chunks, read_trace
from edgekit.trace.codec import encode
from edgekit.trace.dtypes import DTYPES
from edgekit.trace.record import VERSION
from edgekit.trace.writer import FRAMINGS

HEADER = Header(1000, {"device": "board", "model": "ab" * 32})


def written(framing: str = "plain", *, records: int = 4, end: bool = True) -> bytes:
    stream = io.BytesIO()
    writer = TraceWriter(stream, HEADER, framing=framing)
    rng = np.random.default_rng(7)
    for index in range(records):
        values = rng.normal(size=(2, 3 + index)).astype(np.float32)
        writer.add(f"t{index}", values, stage="model", sample=index, time=(index, index + 5))
    if end:
        writer.end()
    return stream.getvalue()


def item_ends(framing: str) -> list[int]:
    """Returns where each item of `written` ends, in bytes of the transport."""
    ends: list[int] = []

    class Recorder(io.BytesIO):
        def flush(self) -> None:
            ends.append(self.tell())

    writer = TraceWriter(Recorder(), HEADER, framing=framing)
    rng = np.random.default_rng(7)
    for index in range(4):
        writer.add(
            f"t{index}", rng.normal(size=(2, 3 + index)).astype(np.float32), stage="model", sample=index,
            time=(index, index + 5),
        )  # fmt: skip
    writer.end()
    return ends


def same(one: Record, two: Record) -> bool:
    assert one.values is not None
    assert two.values is not None
    return one.name == two.name and one.time == two.time and np.array_equal(one.values, two.values)


@pytest.mark.parametrize("framing", sorted(FRAMINGS))
def test_a_whole_trace_comes_back_through_every_transport(framing: str) -> None:
    trace = read_trace(written(framing))
    assert trace.complete
    assert trace.header == HEADER
    assert [r.name for r in trace.records] == ["t0", "t1", "t2", "t3"]
    assert trace.records[2].time == (2, 7)


@pytest.mark.parametrize("framing", sorted(FRAMINGS))
def test_a_trace_cut_at_any_byte_loses_no_complete_record(framing: str) -> None:
    whole = written(framing)
    records = read_trace(whole).records
    ends = item_ends(framing)
    slack = {"plain": 0, "cobs": 1, "lines": 1}[framing]  # what only ends a frame or line may be missing
    for cut in range(ends[0], len(whole)):
        trace = read_trace(whole[:cut])
        complete = sum(end - slack <= cut for end in ends[1:-1])
        assert len(trace.records) == complete, cut
        assert all(same(a, b) for a, b in zip(trace.records, records, strict=False))
        assert trace.complete == (cut >= ends[-1] - slack), cut


def test_a_trace_without_its_end_mark_is_not_complete() -> None:
    trace = read_trace(written(end=False))
    assert len(trace.records) == 4
    assert not trace.damage
    assert not trace.complete


def test_a_record_that_never_arrived_is_named() -> None:
    ends = item_ends("plain")
    whole = written()
    trace = read_trace(whole[: ends[1]] + whole[ends[2] :])
    assert trace.missing() == (1,)
    assert not trace.complete


@settings(max_examples=150, deadline=None)
@given(
    framing=st.sampled_from(sorted(FRAMINGS)), at=st.floats(0, 1, exclude_max=True), flip=st.integers(1, 255)
)
def test_a_changed_byte_costs_at_most_the_record_that_it_hits(framing: str, at: float, flip: int) -> None:
    whole = bytearray(written(framing))
    place = int(at * len(whole))
    whole[place] ^= flip
    ends = item_ends(framing)
    originals = {r.sequence: r for r in read_trace(written(framing)).records}
    try:
        trace = read_trace(bytes(whole))
    except EdgekitError as raised:
        pytest.fail(f"all was given up: {raised}")
    hit = next(i for i, end in enumerate(ends) if place < end)
    lost = {hit - 1, hit} if place + 1 == ends[hit] else {hit - 1}  # an end of a frame joins it with the next
    assert {r.sequence for r in trace.records} >= set(originals) - lost
    assert all(same(r, originals[r.sequence]) for r in trace.records), "a changed value was believed"


def test_a_log_may_have_anything_around_the_lines() -> None:
    lines = written("lines").splitlines(keepends=True)
    noisy = [
        b"[00:01] boot \xff\xfe\n",
        *(b"I (123) app: " + line for line in lines),
        b"EKT:!!!\nEKT:abc\nbye\n",
    ]
    noisy.insert(5, b"watchdog fed\r\n")
    trace = read_trace(b"".join(noisy))
    assert [r.sequence for r in trace.records] == [0, 1, 2, 3]


@pytest.mark.parametrize("framing", sorted(FRAMINGS))
def test_a_reader_that_joins_late_gets_what_follows(framing: str) -> None:
    whole = written(framing)
    ends = item_ends(framing)
    trace = read_trace(whole[ends[1] + 7 :])
    assert trace.header is None
    assert [r.sequence for r in trace.records] == [2, 3]
    assert not trace.complete


@pytest.mark.parametrize("size", [1, 3, 64])
def test_bytes_may_come_in_any_pieces(size: int) -> None:
    whole = written("cobs")
    pieces = (whole[i : i + size] for i in range(0, len(whole), size))
    found = list(read_chunks(pieces))
    assert sum(isinstance(x, Record) for x in found) == 4
    assert not any(isinstance(x, Damage) for x in found)


def test_records_come_before_the_stream_ends() -> None:
    whole = written()
    ends = item_ends("plain")

    def pieces() -> Iterator[bytes]:
        yield whole[: ends[2]]
        raise AssertionError("more was asked for than the records need")

    found = read_chunks(pieces())
    assert isinstance(next(found), Header)
    assert [next(found).sequence for _ in range(2)] == [0, 1]  # type: ignore[union-attr]


@pytest.mark.parametrize("name", sorted(DTYPES))
def test_every_dtype_comes_back(name: str) -> None:
    values = np.array([[0, 1, 1], [1, 0, 1]]).astype(DTYPES[name])
    stream = io.BytesIO()
    TraceWriter(stream, HEADER).add("x", values)
    (record,) = read_trace(stream.getvalue()).records
    assert record.values is not None
    assert record.values.dtype == values.dtype
    assert np.array_equal(record.values, values)


def test_big_endian_arrays_are_understood() -> None:
    item = encode({"seq": 0, "sample": 0, "name": "x", "dtype": "int16", "level": "full",
                   "shape": np.array([2], np.uint32), "data": np.array([1, -2], np.int16)})  # fmt: skip
    little = bytes.fromhex("d84d440100feff")  # tag 77, 4 bytes
    assert little in item
    body = item[: item.index(b"ecrc32")].replace(little, bytes.fromhex("d849440001fffe"))
    import zlib

    import cbor2

    body += cbor2.dumps("crc32")
    (record,) = read_trace(body + cbor2.dumps(zlib.crc32(body)) + b"\xff").records
    assert record.values is not None
    assert record.values.tolist() == [1, -2]


def test_quantisation_comes_back() -> None:
    quant = Quant((0.5, 0.25), (0, 3), 1)
    stream = io.BytesIO()
    TraceWriter(stream, HEADER).add("x", np.ones((1, 2), np.int8), quant=quant, layout="NHWC")
    (record,) = read_trace(stream.getvalue()).records
    assert record.quant == quant
    assert record.layout == "NHWC"


WRONG: dict[str, Callable[[dict[str, object]], object]] = {
    "newer version": lambda i: {"ekt": VERSION + 1, "hz": 0},
    "no name": lambda i: i.pop("name"),
    "unknown dtype": lambda i: i.update(dtype="complex64"),
    "unknown level": lambda i: i.update(level="most"),
    "sizes that do not multiply to the elements": lambda i: i.update(shape=np.array([7], np.uint32)),
    "huge sizes": lambda i: i.update(shape=np.array([2**32 - 1] * 16, np.uint32)),
    "many axes": lambda i: i.update(shape=np.ones(17, np.uint32)),
    "elements of another type": lambda i: i.update(data=np.ones(2, np.float64)),
    "a scale of zero": lambda i: i.update(
        scale=np.zeros(1, np.float32), zero_point=np.zeros(1, np.int32), axis=0
    ),
    "scales for no axis": lambda i: i.update(
        scale=np.ones(3, np.float32), zero_point=np.zeros(3, np.int32), axis=0
    ),
    "a bool of 2": lambda i: i.update(dtype="bool", data=np.array([0, 2], np.uint8)),
    "a count that is a text": lambda i: i.update(sample="0"),
    "a stride of 0": lambda i: i.update(level="sample", stride=0),
}


@pytest.mark.parametrize("wrong", sorted(WRONG))
def test_a_record_that_contradicts_itself_is_damage(wrong: str) -> None:
    item: dict[str, object] = {
        "seq": 0, "sample": 0, "name": "x", "dtype": "float32", "level": "full",
        "shape": np.array([2], np.uint32), "data": np.ones(2, np.float32),
    }  # fmt: skip
    changed = WRONG[wrong](item)
    bad = encode(changed if wrong == "newer version" else item)  # type: ignore[arg-type]
    good = written()
    trace = read_trace(good + bad)
    assert len(trace.records) == 4
    assert len(trace.damage) == 1
    assert trace.damage[0].offset == len(good)
    assert trace.damage[0].size == len(bad)


HOSTILE = {
    "nothing": b"",
    "text": b"hello\n" * 100,
    "a byte string of 2^60 bytes": b"\xbf\x63seq\x5b\x10" + bytes(7),
    "an array of 2^60 items": b"\xd9\xd9\xf7\x9b\x10" + bytes(7),
    "a map within a map": b"\xd9\xd9\xf7" + b"\xa1\x61a" * 5000,
    "a regular expression": b"\xd9\xd9\xf7\xa1\x61a\xd8\x23\x65(a+)+",
    "heads only": b"\xbf\x63seq" * 20000,
    "heads that claim much": (b"\xbf\x63seq\x5a\x00\x0f\xff\xff") * 2000,
}


@pytest.mark.parametrize("name", sorted(HOSTILE))
def test_hostile_bytes_end_in_a_diagnostic(name: str) -> None:
    with pytest.raises(EdgekitError) as raised:
        read_trace(HOSTILE[name])
    assert raised.value.diagnostics[0].code == "EK520"


def test_a_record_beyond_the_limit_is_passed_over() -> None:
    stream = io.BytesIO()
    writer = TraceWriter(stream, HEADER)
    writer.add("large", np.zeros(5000, np.float32))
    writer.add("small", np.zeros(5, np.float32))
    trace = read_trace(stream.getvalue(), limit=4096)
    assert [r.name for r in trace.records] == ["small"]
    assert "4096" in trace.damage[0].reason


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=400), st.integers(0, 3))
def test_any_bytes_are_read_or_refused(noise: bytes, where: int) -> None:
    _read(noise)
    whole = written()
    cut = len(whole) * where // 3
    trace = _read(whole[:cut] + noise + whole[cut:])
    assert trace is None or all(r.sequence < 4 for r in trace.records)


@pytest.mark.nightly
def test_reader_under_fuzz_for_ten_minutes() -> None:
    """Mutated traces of every transport: no exception but EK520, no allocation far beyond the input."""
    import time
    import tracemalloc

    rng = np.random.default_rng(0)
    seeds = [written(framing, records=6) for framing in sorted(FRAMINGS)]
    deadline = time.monotonic() + 600
    tracemalloc.start()
    while time.monotonic() < deadline:
        mutated = bytearray(seeds[rng.integers(len(seeds))])
        for _ in range(rng.integers(1, 12)):
            place, action = int(rng.integers(len(mutated))), rng.integers(4)
            if action == 0:
                mutated[place] = int(rng.integers(256))
            elif action == 1:
                del mutated[place : place + int(rng.integers(1, 40))]
            elif action == 2:
                mutated[place:place] = rng.bytes(int(rng.integers(1, 20)))
            else:
                mutated[place:place] = mutated[place : place + int(rng.integers(1, 80))]
            mutated = mutated or bytearray(b"x")
        tracemalloc.reset_peak()
        _read(bytes(mutated))
        assert tracemalloc.get_traced_memory()[1] < 32 << 20
    tracemalloc.stop()


def _read(payload: bytes) -> TraceFile | None:
    try:
        return read_trace(payload)
    except EdgekitError as raised:
        if raised.diagnostics[0].code != "EK520":
            raise
        return None


def test_levels_hold_what_they_say() -> None:
    values = np.array([[1.0, -2.0, np.nan], [4.0, 0.0, np.inf]], np.float32)
    stream = io.BytesIO()
    writer = TraceWriter(stream, HEADER)
    for level in Level:
        writer.add(level.value, values, level=level, stride=2)
    by_name = {r.name: r for r in read_trace(stream.getvalue()).records}
    assert np.array_equal(by_name["full"].values, values, equal_nan=True)  # type: ignore[arg-type]
    taken = by_name["sample"].values
    assert np.array_equal(taken, np.array([1, np.nan, 0], np.float32), equal_nan=True)  # type: ignore[arg-type]
    stats = by_name["stats"].stats
    assert stats is not None
    assert (stats.low, stats.high, stats.mean) == (-2.0, 4.0, 0.75)
    assert by_name["stats"].nonfinite == by_name["sketch"].nonfinite == 2
    assert by_name["hash"].hash is not None
