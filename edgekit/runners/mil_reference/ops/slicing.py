"""Slices, read and written."""

from __future__ import annotations

import numpy as np

from edgekit.runners.mil_reference.refusal import require
from edgekit.runners.mil_reference.table import Bools, Ints, evaluates
from edgekit.runners.mil_reference.types import Array


@evaluates("slice_by_index")
def slice_by_index(
    x: Array,
    begin: Ints,
    end: Ints,
    stride: Ints | None = None,
    begin_mask: Bools | None = None,
    end_mask: Bools | None = None,
    squeeze_mask: Bools | None = None,
) -> Array:
    """Takes a slice of each axis, as numpy does; an axis that is squeezed gives one element."""
    return np.asarray(x[_key(x, begin, end, stride, begin_mask, end_mask, squeeze_mask)])


@evaluates("slice_update", since=18, alike=("x", "update"))
def slice_update(
    x: Array,
    update: Array,
    begin: Ints,
    end: Ints,
    stride: Ints | None = None,
    begin_mask: Bools | None = None,
    end_mask: Bools | None = None,
    squeeze_mask: Bools | None = None,
) -> Array:
    """Replaces a slice."""
    key = _key(x, begin, end, stride, begin_mask, end_mask, squeeze_mask)
    result = x.copy()
    wanted = result[key].shape
    require(
        update.ndim >= 1 and update.shape == wanted,
        f"`update` is {list(update.shape)}, the slice {list(wanted)}",
    )
    result[key] = update
    return result


@evaluates("slice_by_size")
def slice_by_size(x: Array, begin: Ints, size: Ints) -> Array:
    """Takes a number of elements of each axis; -1 takes all that are left."""
    require(len(begin) == len(size) == x.ndim, f"`begin` and `size` do not have {x.ndim} numbers")
    key = []
    for length, first, count in zip(x.shape, begin, size, strict=True):
        first = first + length if first < 0 else first
        last = length if count == -1 else first + count
        require(
            0 <= first <= last <= length, f"`begin` {list(begin)}, `size` {list(size)} for {list(x.shape)}"
        )
        key.append(slice(first, last))
    return x[tuple(key)]


def _key(
    x: Array,
    begin: Ints,
    end: Ints,
    stride: Ints | None,
    begin_mask: Bools | None,
    end_mask: Bools | None,
    squeeze_mask: Bools | None,
) -> tuple[int | slice, ...]:
    n = x.ndim
    steps = stride or (1,) * n
    open_begin, open_end, single = (m or (False,) * n for m in (begin_mask, end_mask, squeeze_mask))
    require(
        all(len(v) == n for v in (begin, end, steps, open_begin, open_end, single)),
        f"not all vectors have {n} numbers",
    )
    require(0 not in steps, "`stride` is 0")
    key: list[int | slice] = []
    for i in range(n):
        if single[i]:
            at = 0 if open_begin[i] else begin[i]
            require(-x.shape[i] <= at < x.shape[i], f"there is no element {at} among {x.shape[i]}")
            key.append(at)
        else:
            key.append(slice(None if open_begin[i] else begin[i], None if open_end[i] else end[i], steps[i]))
    return tuple(key)
