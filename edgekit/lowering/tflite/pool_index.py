"""Maxima of sliding windows together with where they were found."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edgekit.lowering.ledger import Value
from edgekit.lowering.op import Op
from edgekit.lowering.tflite import sizes as sz
from edgekit.lowering.tflite.builder import TFLiteBuilder
from edgekit.lowering.tflite.formula import Term, constant
from edgekit.lowering.tflite.spatial import pad, tap
from edgekit.lowering.tflite.window import Window


def maximum_and_index(b: TFLiteBuilder, n: Op, x: Value, slides: Sequence[Window]) -> tuple[Value, Value]:
    """Returns the maximum of each window and its index in the whole flattened input; the first wins.

    Args:
        b: The builder.
        n: The node, for `storage_order`.
        x: (N, C, ...) in float32.
        slides: One window per spatial axis.

    Returns:
        The maxima, and their indices as int64.

    Raises:
        Unlowerable: If more than the batch is known only at run time, or indices exceed int32.
    """
    shape = tuple(1 if d is None else d for d in x.shape)
    if None in x.shape[1:]:
        n.refuse("the indices of maxima in an image of a size known only at run time", code="EK305")
    if math.prod(shape) > 2**31 - 1:
        n.refuse(f"indices into {math.prod(shape)} elements; int32 cannot hold them")
    steps = _steps(shape[2:], column_major=bool(n.attr("storage_order", 0)))
    ready = pad(b, x, [(0, 0), (0, 0), *(w.pads for w in slides)], constant(b, -np.inf).value)
    taps = list(np.ndindex(*(w.kernel for w in slides)))
    best = Term(b, tap(b, ready, slides, taps[0]))
    offset = constant(b, 0, np.int32)
    for at in taps[1:]:
        candidate = Term(b, tap(b, ready, slides, at))
        ahead = sum(t * w.dilation * step for t, w, step in zip(at, slides, steps, strict=True))
        offset = (candidate > best).where(constant(b, ahead, np.int32), offset)
        best = best.maximum(candidate)
    index = constant(b, _firsts(shape, slides, steps), np.int32) + offset
    if x.shape[0] is None:
        images = Term(b, b.reshape(sz.iota(b, sz.size_of(b, x, 0)), (None, *(1 for _ in shape[1:]))))
        index = index + images * math.prod(shape[1:])
    return best.value, index.cast(np.int64).value


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
        starts = np.arange(w.count or 0) * w.stride - w.before
        index = index + (starts * step).reshape([-1 if i == axis else 1 for i in range(len(shape))])
    return index
