"""Moving elements: pads and crops, slices, rows picked by index."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.lowering.coreml import sizes as sz
from edgekit.lowering.coreml.builder import CoreMlBuilder
from edgekit.lowering.ledger import Value


def pad_or_crop(
    b: CoreMlBuilder,
    x: Value,
    pads: Sequence[tuple[int, int]],
    mode: str = "constant",
    fill: Value | None = None,
) -> Value:
    """Adds elements before and after each axis; negative counts take them away.

    Args:
        b: The builder.
        x: The value.
        pads: Counts for each axis.
        mode: `constant`, `reflect` or `replicate`.
        fill: A rank-0 number of the dtype of `x`; zero by default.
    """
    added = [(max(p, 0), max(q, 0)) for p, q in pads]
    taken = [(max(-p, 0), max(-q, 0)) for p, q in pads]
    if any(any(pair) for pair in taken):
        x = crop(b, x, taken)
    if not any(any(pair) for pair in added):
        return x
    if x.dtype.kind == "f" and (mode == "constant" or len(_touched(added)) <= 2):
        number = 0.0 if fill is None else fill.data
        if number is not None and _mil_pads(x, added, mode):
            value = x.dtype.type(float(np.asarray(number).reshape(())))
            flat = [p for pair in added for p in pair]
            return b.op("pad", x=x, pad=flat, mode=mode, constant_val=value)
    for axis in _touched(added):
        x = _pad_axis(b, x, axis, added[axis], mode, fill)
    return x


def _touched(pads: Sequence[tuple[int, int]]) -> list[int]:
    return [axis for axis, pair in enumerate(pads) if any(pair)]


def _mil_pads(x: Value, pads: Sequence[tuple[int, int]], mode: str) -> bool:
    """Tells whether MIL's op does it: reflection and replication only of the last two axes."""
    return mode == "constant" or all(axis >= x.rank - 2 for axis in _touched(pads))


def _pad_axis(
    b: CoreMlBuilder, x: Value, axis: int, pad: tuple[int, int], mode: str, fill: Value | None
) -> Value:
    """Pads one axis by joining, or by picking rows."""
    if mode == "constant":
        parts = [_filled(b, x, axis, pad[0], fill), x, _filled(b, x, axis, pad[1], fill)]
        return b.concat([p for p in parts if p is not None], axis)
    size = x.shape[axis]
    if size is None:
        pick = mirrored if mode == "reflect" else repeated
        return pick(b, x, axis, pad)
    places = np.arange(-pad[0], size + pad[1])
    if mode == "replicate":
        places = places.clip(0, size - 1)
    else:
        period = max(2 * (size - 1), 1)
        places = np.abs((places + size - 1) % period - (size - 1)) if size > 1 else places * 0
    return take(b, x, places, axis)


def mirrored(b: CoreMlBuilder, x: Value, axis: int, pad: tuple[int, int]) -> Value:
    """Reflects an axis of a size known only at run time, which must be larger than the pads."""
    front = [cut(b, x, axis, 1, 1 + pad[0])] if pad[0] else []
    back = [cut(b, x, axis, -1 - pad[1], -1)] if pad[1] else []
    front, back = ([b.op("reverse", x=v, axes=[axis]) for v in part] for part in (front, back))
    return b.concat([*front, x, *back], axis)


def repeated(b: CoreMlBuilder, x: Value, axis: int, pad: tuple[int, int]) -> Value:
    """Repeats the first and the last row of an axis."""
    front = [_tiled(b, cut(b, x, axis, 0, 1), axis, pad[0])] if pad[0] else []
    back = [_tiled(b, cut(b, x, axis, -1, None), axis, pad[1])] if pad[1] else []
    return b.concat([*front, x, *back], axis)


def _tiled(b: CoreMlBuilder, x: Value, axis: int, count: int) -> Value:
    return b.op("tile", x=x, reps=[count if i == axis else 1 for i in range(x.rank)])


def _filled(b: CoreMlBuilder, x: Value, axis: int, count: int, fill: Value | None) -> Value | None:
    if not count:
        return None
    number = b.number(0, x) if fill is None else fill
    sizes = sz.sizes_of(b, x)
    sizes[axis] = count
    return sz.filled(b, number, sizes)


def crop(b: CoreMlBuilder, x: Value, taken: Sequence[tuple[int, int]]) -> Value:
    """Takes elements away before and after each axis."""
    begin = [p for p, _ in taken]
    ends = [-q if q else 0 for _, q in taken]
    return b.op("slice_by_index", x=x, begin=begin, end=ends, end_mask=[q == 0 for q in ends])


def cut(b: CoreMlBuilder, x: Value, axis: int, start: int, stop: int | None, step: int = 1) -> Value:
    """Takes `x[..., start:stop:step, ...]` along one axis."""
    if x.data is not None:
        return b.const(x.data[(slice(None),) * axis + (slice(start, stop, step),)])
    mine = [i == axis for i in range(x.rank)]
    return b.op(
        "slice_by_index",
        x=x,
        begin=[start if m else 0 for m in mine],
        end=[(stop or 0) if m else 0 for m in mine],
        stride=[step if m else 1 for m in mine],
        begin_mask=[not m for m in mine],
        end_mask=[not m or stop is None for m in mine],
    )


def take(b: CoreMlBuilder, x: Value, places: NDArray[np.integer[Any]] | Sequence[int], axis: int) -> Value:
    """Picks rows of an axis by constant indices that are in range."""
    where = np.asarray(places, np.int32)
    if x.data is not None:
        return b.const(np.take(x.data, where, axis))
    return b.moved(x, lambda v: b.op("gather", x=v, indices=b.const(where), axis=axis))
