"""Channels-last views for TFLite's image ops, and padding in front of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgekit.lowering.ledger import Value
from edgekit.lowering.tflite.builder import TFLiteBuilder
from edgekit.lowering.tflite.window import Window


def channels_last(b: TFLiteBuilder, x: Value) -> Value:
    """Permutes (N, C, ...) to (N, ..., C)."""
    return b.transpose(x, (0, *range(2, x.rank), 1))


def channels_first(b: TFLiteBuilder, x: Value) -> Value:
    """Permutes (N, ..., C) to (N, C, ...)."""
    return b.transpose(x, (0, x.rank - 1, *range(1, x.rank - 1)))


def insert_axis(b: TFLiteBuilder, x: Value, axis: int) -> Value:
    """Inserts an axis of size 1; works with any number of sizes known only at run time."""
    shape = (*x.shape[:axis], 1, *x.shape[axis:])
    if x.data is not None or sum(d is None for d in shape) <= 1:
        return b.reshape(x, shape)
    return b.op("EXPAND_DIMS", [x, b.ints(axis)], dtype=x.dtype, shape=shape)


def drop_axis(b: TFLiteBuilder, x: Value, axis: int) -> Value:
    """Removes an axis of size 1; works with any number of sizes known only at run time."""
    shape = (*x.shape[:axis], *x.shape[axis + 1 :])
    if x.data is not None or sum(d is None for d in shape) <= 1:
        return b.reshape(x, shape)
    return b.op("SQUEEZE", [x], {"squeeze_dims": [axis]}, dtype=x.dtype, shape=shape)


def split(b: TFLiteBuilder, x: Value, parts: int, axis: int) -> tuple[Value, ...]:
    """Splits an axis of known size into equal parts; a constant at once."""
    if parts == 1:
        return (x,)
    axis %= x.rank
    if x.data is not None:
        return tuple(b.const(part) for part in np.split(x.data, parts, axis))
    size = x.shape[axis]
    assert size is not None
    shape = (*x.shape[:axis], size // parts, *x.shape[axis + 1 :])
    return b.multi("SPLIT", [b.ints(axis), x], [(x.dtype, shape)] * parts, {"num_splits": parts})


def pad(b: TFLiteBuilder, x: Value, pads: Sequence[tuple[int, int]], fill: Value | None = None) -> Value:
    """Pads every axis by (before, after) elements of `fill`, zeros by default; nothing if all are 0."""
    if not any(map(any, pads)):
        return x
    amounts = b.const(np.asarray(pads, np.int32))
    return b.op("PAD", [x, amounts]) if fill is None else b.op("PADV2", [x, amounts, fill])


def crop_or_pad(
    b: TFLiteBuilder, x: Value, pads: Sequence[tuple[int, int]], fill: Value | None = None
) -> Value:
    """Pads every axis by (before, after) elements of `fill`; negative amounts drop elements."""
    if any(p < 0 for pair in pads for p in pair):
        cuts = [(max(0, -left), max(0, -right)) for left, right in pads]
        to_the_end = sum((right == 0) << axis for axis, (_, right) in enumerate(cuts))
        bounds = [[left for left, _ in cuts], [-right for _, right in cuts], [1] * x.rank]
        shape = tuple(
            None if d is None else d - left - right for d, (left, right) in zip(x.shape, cuts, strict=True)
        )
        attrs = {"begin_mask": 0, "end_mask": to_the_end}
        x = b.op("STRIDED_SLICE", [x, *map(b.ints, bounds)], attrs, dtype=x.dtype, shape=shape)
    return pad(b, x, [(max(0, left), max(0, right)) for left, right in pads], fill)


def padded(
    b: TFLiteBuilder, x: Value, windows: Sequence[Window], fill: Value | None = None, *, same: bool = True
) -> tuple[Value, str]:
    """Makes windows expressible by TensorFlow's padding schemes.

    Args:
        b: The builder.
        x: (N, ..., C), one spatial axis per window.
        windows: The windows.
        fill: What lies beyond the axes; zeros by default.
        same: Whether the scheme SAME means what is wanted.

    Returns:
        The input, padded where neither scheme fits, and the scheme: `SAME` or `VALID`.

    Raises:
        Unlowerable: If the pads follow from a size known only at run time and SAME is not wanted.
    """
    if not any(w.is_padded for w in windows):
        return x, "VALID"
    if same and all(w.is_same for w in windows):
        return x, "SAME"
    return pad(b, x, [(0, 0), *(w.pads for w in windows), (0, 0)], fill), "VALID"


def tap(b: TFLiteBuilder, x: Value, windows: Sequence[Window], at: Sequence[int]) -> Value:
    """Takes one tap of every window.

    Args:
        b: The builder.
        x: (N, C, ...), padded already, one spatial axis per window.
        windows: The windows.
        at: Which tap, along each spatial axis.

    Returns:
        (N, C, windows along the first axis, ...), as a STRIDED_SLICE.
    """
    begin, end, strides = [0, 0], [0, 0], [1, 1]
    shape = list(x.shape[:2])
    to_the_end = 0b11
    for axis, (w, t) in enumerate(zip(windows, at, strict=True), 2):
        left = w.extent - 1 - t * w.dilation
        begin.append(t * w.dilation)
        end.append(-left)
        strides.append(w.stride)
        shape.append(w.count)
        to_the_end |= (left == 0) << axis
    attrs = {"begin_mask": 0, "end_mask": to_the_end}
    operands = [x, b.ints(begin), b.ints(end), b.ints(strides)]
    return b.op("STRIDED_SLICE", operands, attrs, dtype=x.dtype, shape=tuple(shape))
