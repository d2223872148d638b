"""Slice."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgekit.lowering.ledger import Value
from edgekit.lowering.op import Op
from edgekit.lowering.tflite import sizes as sz
from edgekit.lowering.tflite.builder import TFLiteBuilder
from edgekit.lowering.tflite.table import lowers

_INT32 = np.iinfo(np.int32)


@dataclass(frozen=True, slots=True)
class _Cut:
    """What is taken of one axis; a bound of `None` is the axis' own end in the direction of `step`.

    Attributes:
        begin: The first element; negative ones count from the end.
        end: The element before which it stops.
        step: Distance, not 0.
        size: How many elements that gives; `None` where known only at run time.
    """

    begin: sz.Size | None = None
    end: sz.Size | None = None
    step: int = 1
    size: int | None = None


@lowers("Slice", since=13)
def slice_(b: TFLiteBuilder, n: Op) -> Value:
    """Slice -> SLICE with steps of 1 on known sizes, else STRIDED_SLICE."""
    x = n.operand(0)
    count = n.operand(1).shape[0]
    if count is None:
        n.refuse("how many axes are sliced is known only at run time", code="EK305")
    given_axes = range(count) if n.input(3) is None else n.known(3, "axes")
    steps = [1] * count if n.input(4) is None else [int(s) for s in n.known(4, "steps")]
    cuts = [_Cut(size=d) for d in x.shape]
    for i, axis in enumerate(int(a) % x.rank for a in given_axes):
        begin, end = _bound(b, n, 1, i), _bound(b, n, 2, i)
        if steps[i] < 0 and begin != -1 and (x.shape[axis] is None or isinstance(begin, Value)):
            begin = _not_before(b, begin, sz.size_of(b, x, axis))
        cuts[axis] = _cut(begin, end, steps[i], x.shape[axis])
    return _emit(b, x, cuts)


def _bound(b: TFLiteBuilder, n: Op, index: int, i: int) -> sz.Size:
    data = n.const(index)
    if data is not None:
        return int(data[i])
    bound = sz.element(b, n.operand(index), i)
    if bound.dtype == np.int64:  # "as far as it goes" is often written as the largest int64
        bound = b.binary("MAXIMUM", bound, b.const([_INT32.min], np.int64))
        bound = b.binary("MINIMUM", bound, b.const([_INT32.max], np.int64))
    return b.cast(bound, np.int32)


def _not_before(b: TFLiteBuilder, begin: sz.Size, size: sz.Size) -> sz.Size:
    """Going backwards, ONNX starts at the first element what starts before it; LiteRT takes nothing."""
    if isinstance(begin, int) and begin >= 0:
        return begin
    return sz.combine(b, "MAXIMUM", _clipped(begin), sz.combine(b, "SUB", 0, size))


def _cut(begin: sz.Size, end: sz.Size, step: int, size: int | None) -> _Cut:
    if isinstance(begin, Value) or isinstance(end, Value):
        return _Cut(_clipped(begin), _clipped(end), step)
    if size is None:
        return _Cut(_clipped(begin), _clipped(end), step)
    start, stop = _within(begin, end, step, size)
    length = len(range(start, stop, step))
    if length == 0:
        return _Cut(0, 0, 1, 0)
    return _Cut(start, None if stop < 0 else stop, step, length)


def _within(begin: int, end: int, step: int, size: int) -> tuple[int, int]:
    """Limits bounds to an axis.

    Source: ONNX operator Slice; unlike Python's, a backward slice starts no earlier than element 0.
    """
    begin, end = (bound + size if bound < 0 else bound for bound in (begin, end))
    if step > 0:
        return max(0, min(begin, size)), max(0, min(end, size))
    return max(0, min(begin, size - 1)), max(-1, min(end, size - 1))


def _clipped(bound: sz.Size) -> sz.Size:
    return bound if isinstance(bound, Value) else max(_INT32.min, min(bound, _INT32.max))


def _emit(b: TFLiteBuilder, x: Value, cuts: list[_Cut]) -> Value:
    whole = [c == _Cut(size=d) for c, d in zip(cuts, x.shape, strict=True)]
    if all(whole):
        return x
    shape = tuple(c.size for c in cuts)
    if all(w or (c.step == 1 and c.size is not None) for w, c in zip(whole, cuts, strict=True)):
        begins = b.ints([c.begin if isinstance(c.begin, int) else 0 for c in cuts])
        lengths = b.ints([-1 if c.size is None else c.size for c in cuts])
        return b.op("SLICE", [x, begins, lengths], dtype=x.dtype, shape=shape)
    begin = sz.pack(b, [0 if c.begin is None else c.begin for c in cuts])
    end = sz.pack(b, [0 if c.end is None else c.end for c in cuts])
    masks = {
        "begin_mask": sum(1 << i for i, c in enumerate(cuts) if c.begin is None),
        "end_mask": sum(1 << i for i, c in enumerate(cuts) if c.end is None),
    }
    return b.op("STRIDED_SLICE", [x, begin, end, b.ints([c.step for c in cuts])], masks,
                dtype=x.dtype, shape=shape)  # fmt: skip
