"""Tensors that are made: filled, counted, one-hot, indices of what is not zero."""

from __future__ import annotations

import math

import numpy as np

from edgekit.runners.mil_reference.ops.axes import normal
from edgekit.runners.mil_reference.refusal import claim, require
from edgekit.runners.mil_reference.table import Ints, Number, evaluates
from edgekit.runners.mil_reference.types import Array

_ZERO = np.float32(0)


@evaluates("fill")
def fill(shape: Ints, value: Number = _ZERO) -> Array:
    """Repeats a number."""
    return np.full(claim(shape), value)


@evaluates("range_1d", alike=("start", "end", "step"))
def range_1d(end: Number, start: Number, step: Number) -> Array:
    """Counts from `start` by `step`, up to `end` without it."""
    require(bool(step != 0), "`step` is 0")
    length = max(math.ceil((float(end) - float(start)) / float(step)), 0)
    claim((length,))
    return np.asarray(start + np.arange(length).astype(np.asarray(step).dtype) * step)


@evaluates("one_hot", alike=("on_value", "off_value"))
def one_hot(
    indices: Array,
    one_hot_vector_size: int,
    axis: int = -1,
    on_value: Number | None = None,
    off_value: Number | None = None,
) -> Array:
    """Puts `on_value` where an index points to along a new axis; an index outside points nowhere."""
    on = np.int32(1) if on_value is None else on_value
    off = on.dtype.type(0) if off_value is None else off_value
    place = normal(axis, indices.ndim + 1)
    claim((*indices.shape, one_hot_vector_size))
    hot = np.expand_dims(indices, -1) == np.arange(one_hot_vector_size)
    return np.moveaxis(np.where(hot, on, off), -1, place)


@evaluates("non_zero")
def non_zero(x: Array) -> Array:
    """Gives the indices of elements other than 0, one to a row."""
    return np.argwhere(x).astype(np.int32)


@evaluates("cumsum")
def cumsum(x: Array, axis: int = 0, exclusive: bool = False, reverse: bool = False) -> Array:
    """Sums up along an axis."""
    axis = normal(axis, x.ndim)
    source = np.flip(x, axis) if reverse else x
    sums = np.cumsum(source, axis, dtype=x.dtype)
    if exclusive:
        sums = sums - source
    return np.flip(sums, axis) if reverse else sums


@evaluates("band_part")
def band_part(x: Array, lower: int = -1, upper: int = -1) -> Array:
    """Keeps a band around the diagonal of the last two axes."""
    require(x.ndim >= 2, f"x has the rank {x.ndim}")
    rows, columns = np.arange(x.shape[-2])[:, None], np.arange(x.shape[-1])
    inside = ((lower < 0) | (rows - columns <= lower)) & ((upper < 0) | (columns - rows <= upper))
    return np.where(inside, x, x.dtype.type(0))


@evaluates("fill_like", since=16)
def fill_like(ref_tensor: Array, value: Number = _ZERO) -> Array:
    """Repeats a number in the shape of another tensor."""
    return np.full(ref_tensor.shape, value)
