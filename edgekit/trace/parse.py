"""Items of a trace as headers and records, and back."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.ir import Quant
from edgekit.trace.codec import Item, Malformed
from edgekit.trace.dtypes import DTYPES, as_dtype
from edgekit.trace.record import VERSION, Header, Level, Record, Stats
from edgekit.trace.sketch import BUCKETS

RANK = 16
"""The most axes that a record may have."""


def header_of(item: Item) -> Header:
    """Reads the header of a trace.

    Raises:
        Malformed: If it is none, or of a newer version.
    """
    version = _count(item, "ekt")
    if version > VERSION:
        raise Malformed(f"version {version} of the format; this reader knows {VERSION}")
    facts = {k: v for k, v in item.items() if isinstance(v, str)}
    return Header(_count(item, "hz"), facts, version)


def header_item(header: Header) -> Mapping[str, int | str | NDArray[Any]]:
    """Returns what stands for a header."""
    return {"ekt": VERSION, "hz": header.hz, **header.facts}


def record_of(item: Item) -> Record:
    """Reads a record.

    Raises:
        Malformed: If a key is missing, of the wrong type, or contradicts another.
    """
    dtype = _text(item, "dtype")
    if dtype not in DTYPES:
        raise Malformed(f"the dtype `{dtype}`")
    try:
        level = Level(_text(item, "level"))
    except ValueError as raised:
        raise Malformed(f"the level `{item['level']}`") from raised
    shape = _sizes(item)
    held = _HELD[level](item, dtype, shape)
    return Record(
        sequence=_count(item, "seq"),
        sample=_count(item, "sample"),
        stage=_text(item, "stage", ""),
        name=_text(item, "name"),
        dtype=dtype,
        shape=shape,
        level=level,
        layout=_text(item, "layout", ""),
        quant=_quant(item, shape),
        time=_time(item),
        **held,
    )


def record_item(record: Record) -> Mapping[str, int | str | NDArray[Any]]:
    """Returns what stands for a record."""
    item: dict[str, int | str | NDArray[Any]] = {"seq": record.sequence, "sample": record.sample}
    texts = {"stage": record.stage, "name": record.name, "dtype": record.dtype, "layout": record.layout}
    item |= {k: v for k, v in texts.items() if v or k == "name"}
    item["level"] = record.level.value
    item["shape"] = np.array(record.shape, np.uint32)
    if record.quant is not None:
        item["scale"] = np.array(record.quant.scale, np.float32)
        item["zero_point"] = np.array(record.quant.zero_point, np.int32)
        item["axis"] = record.quant.axis or 0
    if record.time is not None:
        item["time"] = np.array(record.time, np.uint64)
    return item | _summary(record)


def _summary(record: Record) -> dict[str, int | str | NDArray[Any]]:
    held: dict[str, int | str | NDArray[Any]] = {}
    if record.level is Level.SAMPLE:
        held["stride"] = record.stride
    if record.values is not None:
        held["data"] = record.values.reshape(-1)
    if record.sketch is not None:
        held["sketch"] = record.sketch
    if record.stats is not None:
        s = record.stats
        held["stats"] = np.array([s.low, s.high, s.mean, s.rms], np.float32)
    if record.hash is not None:
        held["hash"] = record.hash
    if record.nonfinite is not None:
        held["nonfinite"] = record.nonfinite
    return held


def _text(item: Item, key: str, default: str | None = None) -> str:
    value = item.get(key, default)
    if not isinstance(value, str):
        raise Malformed(_wrong(item, key, "a text"))
    return value


def _count(item: Item, key: str) -> int:
    value = item.get(key)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise Malformed(_wrong(item, key, "a count"))
    return value


def _vector(item: Item, key: str, dtype: type[Any], size: int | None = None) -> NDArray[Any]:
    value = item.get(key)
    if not isinstance(value, np.ndarray) or value.dtype != dtype:
        raise Malformed(_wrong(item, key, f"an array of {np.dtype(dtype)}"))
    if size is not None and value.size != size:
        raise Malformed(f"`{key}` has {value.size} elements, not {size}")
    return value


def _wrong(item: Item, key: str, wanted: str) -> str:
    return f"`{key}` is not {wanted}" if key in item else f"a record without `{key}`"


def _sizes(item: Item) -> tuple[int, ...]:
    sizes = _vector(item, "shape", np.uint32)
    if sizes.size > RANK:
        raise Malformed(f"a tensor of {sizes.size} axes")
    return tuple(int(n) for n in sizes)


def _quant(item: Item, shape: tuple[int, ...]) -> Quant | None:
    if "scale" not in item:
        return None
    scale = _vector(item, "scale", np.float32)
    zero_point = _vector(item, "zero_point", np.int32, scale.size)
    axis = _count(item, "axis")
    if not np.all(np.isfinite(scale)) or not np.all(scale > 0):
        raise Malformed("a scale that is not positive")
    if scale.size != 1 and (axis >= len(shape) or shape[axis] != scale.size):
        raise Malformed(f"{scale.size} scales for the axis {axis} of {list(shape)}")
    per_channel = axis if scale.size > 1 else None
    return Quant(tuple(float(s) for s in scale), tuple(int(z) for z in zero_point), per_channel)


def _time(item: Item) -> tuple[int, int] | None:
    if "time" not in item:
        return None
    begin, end = _vector(item, "time", np.uint64, 2)
    return int(begin), int(end)


def _elements(item: Item, dtype: str, size: int) -> NDArray[Any]:
    value = item.get("data")
    if not isinstance(value, np.ndarray):
        raise Malformed(_wrong(item, "data", "an array"))
    if value.size != size:
        raise Malformed(f"`data` has {value.size} elements, not {size}")
    try:
        return as_dtype(value, dtype)
    except ValueError as raised:
        raise Malformed(str(raised)) from raised


def _full(item: Item, dtype: str, shape: tuple[int, ...]) -> dict[str, Any]:
    return {"values": _elements(item, dtype, math.prod(shape)).reshape(shape)}


def _sample(item: Item, dtype: str, shape: tuple[int, ...]) -> dict[str, Any]:
    stride = _count(item, "stride")
    if stride == 0:
        raise Malformed("a stride of 0")
    return {"values": _elements(item, dtype, -(-math.prod(shape) // stride)), "stride": stride}


def _sketch(item: Item, dtype: str, shape: tuple[int, ...]) -> dict[str, Any]:
    return {"sketch": _vector(item, "sketch", np.float32, BUCKETS), "nonfinite": _count(item, "nonfinite")}


def _stats(item: Item, dtype: str, shape: tuple[int, ...]) -> dict[str, Any]:
    numbers = (float(x) for x in _vector(item, "stats", np.float32, 4))
    return {"stats": Stats(*numbers), "nonfinite": _count(item, "nonfinite")}


def _hash(item: Item, dtype: str, shape: tuple[int, ...]) -> dict[str, Any]:
    return {"hash": _count(item, "hash")}


_HELD = {
    Level.FULL: _full,
    Level.SAMPLE: _sample,
    Level.SKETCH: _sketch,
    Level.STATS: _stats,
    Level.HASH: _hash,
}
