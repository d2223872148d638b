"""Slice."""

from __future__ import annotations

from dataclasses import dataclass

from edgekit.lowering.coreml import sizes as sz
from edgekit.lowering.coreml.builder import CoreMlBuilder
from edgekit.lowering.coreml.storage import INT32_MAX, INT32_MIN
from edgekit.lowering.coreml.table import lowers
from edgekit.lowering.ledger import Value
from edgekit.lowering.op import Op


@dataclass(frozen=True, slots=True)
class _Cut:
    """What is taken of one axis; a bound of `None` is the axis' own end in the direction of `step`.

    Attributes:
        begin: The first element.
        end: The element before which it stops.
        step: Distance, not 0.
    """

    begin: sz.Size | None = None
    end: sz.Size | None = None
    step: int = 1


@lowers("Slice", since=13)
def slice_(b: CoreMlBuilder, n: Op) -> Value:
    """Slice -> slice_by_index; a backward slice reverses first where a bound is computed at run time."""
    x = n.operand(0)
    count = n.operand(1).shape[0]
    if count is None:
        n.refuse("how many axes are sliced is known only at run time", code="EK305")
    given = range(count) if n.input(3) is None else [int(a) for a in n.known(3, "axes")]
    steps = [1] * count if n.input(4) is None else [int(s) for s in n.known(4, "steps")]
    cuts = [_Cut() for _ in x.shape]
    for i, axis in enumerate(a % x.rank for a in given):
        cuts[axis] = _cut(b, n, i, steps[i], sz.size_of(b, x, axis))
    if x.data is not None and all(isinstance(p, int | None) for c in cuts for p in (c.begin, c.end)):
        return b.const(x.data[tuple(slice(c.begin, c.end, c.step) for c in cuts)])
    made = _emit(b, n, x, cuts)
    return b.bounded(made, b.interval(x)) if x.dtype.kind in "iu" else made


def _cut(b: CoreMlBuilder, n: Op, i: int, step: int, size: sz.Size) -> _Cut:
    """Limits bounds to the axis, so that no runtime has to; ONNX starts backward at its last element."""
    begin, end = _bound(b, n, 1, i), _bound(b, n, 2, i)
    if isinstance(size, int) and isinstance(begin, int) and isinstance(end, int):
        begin, end = (p + size if p < 0 else p for p in (begin, end))
        low, high = (0, size) if step > 0 else (-1, size - 1)
        start, stop = max(0, min(begin, high)), max(low, min(end, high))
        if len(range(start, stop, step)) == 0:
            n.refuse("a slice without elements", code="EK305")
        return _Cut(start, None if stop < 0 or stop == size else stop, step)
    if step < 0:
        if (begin, end) == (-1, end) and isinstance(end, int) and end <= INT32_MIN + 1:
            return _Cut(None, None, step)
        n.refuse("a backward slice with bounds or a size known only at run time", code="EK305")
    if isinstance(begin, int) and isinstance(end, int):
        return _open(b, begin, end, step, size)
    return _Cut(_inside(b, begin, size), _inside(b, end, size), step)


def _open(b: CoreMlBuilder, begin: int, end: int, step: int, size: sz.Size) -> _Cut:
    """Bounds are known, the size is not: those that cannot reach beyond the axis stay as they are."""
    first: sz.Size | None = None if begin == 0 else _inside(b, begin, size)
    last: sz.Size | None = None if end >= INT32_MAX else _inside(b, end, size)
    return _Cut(first, last, step)


def _inside(b: CoreMlBuilder, bound: sz.Size, size: sz.Size) -> sz.Size:
    if isinstance(bound, int):
        if isinstance(size, int):
            return max(0, min(bound + size if bound < 0 else bound, size))
        if bound >= 0:
            return sz.combine(b, "minimum", max(min(bound, INT32_MAX), 0), size)
        return sz.combine(b, "maximum", sz.combine(b, "add", max(bound, INT32_MIN), size), 0)
    span = b.interval(bound)
    if span.low < 0:
        shifted = b.binary("add", bound, sz.value(b, size))
        bound = b.select(b.binary("less", bound, b.ints([0])), shifted, bound)
        bound = b.binary("maximum", bound, b.ints([0]))
    return b.binary("minimum", bound, sz.value(b, size))


def _bound(b: CoreMlBuilder, n: Op, index: int, i: int) -> sz.Size:
    data = n.const(index)
    if data is not None:
        return max(INT32_MIN, min(int(data[i]), INT32_MAX))
    return b.int32(sz.element(b, n.operand(index), i))


def _emit(b: CoreMlBuilder, n: Op, x: Value, cuts: list[_Cut]) -> Value:
    if all(c == _Cut() for c in cuts):
        return x
    params = {
        "x": x,
        "begin": [0 if c.begin is None else c.begin for c in cuts],
        "end": [0 if c.end is None else c.end for c in cuts],
        "stride": [c.step for c in cuts],
        "begin_mask": [c.begin is None for c in cuts],
        "end_mask": [c.end is None for c in cuts],
    }
    if all(isinstance(p, int) for key in ("begin", "end") for p in params[key]):  # type: ignore[attr-defined]
        return b.op("slice_by_index", **params)
    params["begin"], params["end"] = sz.pack(b, params["begin"]), sz.pack(b, params["end"])  # type: ignore[arg-type]
    made = b.value(x.dtype, n.out_shape())
    b.emit("slice_by_index", params, [made])
    return made
