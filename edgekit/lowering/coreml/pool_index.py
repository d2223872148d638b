"""The maximum of each window, and where it is: window by window of a padded input, tap by tap."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edgekit.lowering.coreml.bounds import Interval
from edgekit.lowering.coreml.builder import CoreMlBuilder
from edgekit.lowering.coreml.formula import Term
from edgekit.lowering.coreml.movement import cut, pad_or_crop
from edgekit.lowering.coreml.storage import INT32_MAX
from edgekit.lowering.coreml.window import Window
from edgekit.lowering.ledger import Value
from edgekit.lowering.op import Op

_MAX_TAPS = 128


def maximum_and_index(b: CoreMlBuilder, n: Op, x: Value, slides: Sequence[Window]) -> tuple[Value, Value]:
    """Returns the maximum of each window and its index in the whole flattened input; the first wins.

    Args:
        b: The builder.
        n: The node, for `storage_order`.
        x: (N, C, ...) of floats.
        slides: One window per spatial axis.

    Raises:
        Unlowerable: If a size is known only at run time, indices exceed int32, or a window has too many taps.
    """
    shape = x.static_shape
    if shape is None:
        n.refuse("the indices of maxima in an image of a size known only at run time", code="EK305")
    if math.prod(shape) > INT32_MAX:
        n.refuse(f"indices into {math.prod(shape)} elements; int32 cannot hold them")
    taps = list(np.ndindex(*(w.kernel for w in slides)))
    if len(taps) > _MAX_TAPS:
        n.refuse(f"the indices of maxima in windows of {len(taps)} elements, each of which takes ops")
    steps = _steps(shape[2:], column_major=bool(n.attr("storage_order", 0)))
    edges = [(0, 0), (0, 0), *((w.begin, w.reached_end) for w in slides)]
    ready = pad_or_crop(b, x, edges, fill=b.number(-math.inf, x))
    best, offset = Term(b, _tap(b, ready, slides, taps[0])), Term(b, b.ints(0))
    for at in taps[1:]:
        candidate = Term(b, _tap(b, ready, slides, at))
        ahead = sum(t * w.dilation * step for t, w, step in zip(at, slides, steps, strict=True))
        offset = (candidate > best).where(ahead, offset)
        best = best.maximum(candidate)
    index = offset + Term(b, b.const(_firsts(shape, slides, steps), np.int32))
    found = b.relabel(index.value, np.int64)
    return best.value, b.bounded(found, Interval(0, math.prod(shape) - 1))


def _tap(b: CoreMlBuilder, x: Value, slides: Sequence[Window], at: tuple[int, ...]) -> Value:
    """Returns one element of every window."""
    for axis, (w, t) in enumerate(zip(slides, at, strict=True), 2):
        start = t * w.dilation
        x = cut(b, x, axis, start, start + ((w.count or 1) - 1) * w.stride + 1, w.stride)
    return x


def _steps(space: Sequence[int], *, column_major: bool) -> list[int]:
    """Elements between neighbours along each spatial axis."""
    if column_major:
        return [math.prod(space[:i]) for i in range(len(space))]
    return [math.prod(space[i + 1 :]) for i in range(len(space))]


def _firsts(shape: Sequence[int], slides: Sequence[Window], steps: Sequence[int]) -> NDArray[np.int64]:
    """The index of the first tap of each window; out of range where that lies on the pads."""
    index: NDArray[np.int64] = np.arange(shape[0] * shape[1]).reshape(*shape[:2], *(1 for _ in slides))
    index = index * math.prod(shape[2:])
    for axis, (w, step) in enumerate(zip(slides, steps, strict=True), 2):
        starts = np.arange(w.count or 0) * w.stride - w.begin
        index = index + (starts * step).reshape([-1 if i == axis else 1 for i in range(len(shape))])
    return index
