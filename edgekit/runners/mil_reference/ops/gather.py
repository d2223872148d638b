"""Gathering by indices.

Up to iOS 16 an index may count from the end. From iOS 17 on it may not, and what an index outside gives is
not specified; it is refused here, whether the op asks for validation or not.
"""

from __future__ import annotations

import math

import numpy as np

from edgekit.runners.mil_reference.ops.axes import normal
from edgekit.runners.mil_reference.refusal import claim, require
from edgekit.runners.mil_reference.table import evaluates
from edgekit.runners.mil_reference.types import Array


def within(indices: Array, size: int, *, negative: bool) -> Array:
    """Returns indices counted from the front, as int64.

    Raises:
        Refusal: If one is no index of an axis of `size` elements.
    """
    require(indices.dtype.kind in "iu", f"the indices are {indices.dtype}")
    wide = indices.astype(np.int64)
    low = -size if negative else 0
    require(bool(np.all((wide >= low) & (wide < size))), f"an index lies outside of {size} elements")
    return np.where(wide < 0, wide + size, wide)


def _gather(x: Array, indices: Array, axis: int, batch_dims: int, *, negative: bool) -> Array:
    axis = normal(axis, x.ndim)
    require(0 <= batch_dims <= min(axis, indices.ndim), f"`batch_dims` is {batch_dims}")
    require(x.shape[:batch_dims] == indices.shape[:batch_dims], "the batches of x and of the indices differ")
    claim((*x.shape[:axis], *indices.shape[batch_dims:], *x.shape[axis + 1 :]))
    found = within(indices, x.shape[axis], negative=negative)
    if batch_dims == 0:
        return np.take(x, found, axis)
    batches = math.prod(x.shape[:batch_dims])
    each = zip(
        x.reshape(batches, *x.shape[batch_dims:]),
        found.reshape(batches, *found.shape[batch_dims:]),
        strict=True,
    )
    parts = np.stack([np.take(a, i, axis - batch_dims) for a, i in each])
    return parts.reshape(*x.shape[:batch_dims], *parts.shape[1:])


@evaluates("gather")
def gather_15(x: Array, indices: Array, axis: int = 0) -> Array:
    """Takes slices along an axis."""
    return _gather(x, indices, axis, 0, negative=True)


@evaluates("gather", since=16)
def gather_16(x: Array, indices: Array, axis: int = 0, batch_dims: int = 0) -> Array:
    """Takes slices along an axis, each batch by its own indices."""
    return _gather(x, indices, axis, batch_dims, negative=True)


@evaluates("gather", since=17)
def gather_17(
    x: Array, indices: Array, axis: int = 0, batch_dims: int = 0, validate_indices: bool = False
) -> Array:
    """Takes slices along an axis, each batch by its own indices."""
    return _gather(x, indices, axis, batch_dims, negative=False)


def _along(x: Array, indices: Array, axis: int, *, negative: bool) -> Array:
    axis = normal(axis, x.ndim)
    require(indices.ndim == x.ndim, f"the indices have the rank {indices.ndim}, x has {x.ndim}")
    require(
        all(i == a or k == axis for k, (i, a) in enumerate(zip(indices.shape, x.shape, strict=True))),
        f"x is {list(x.shape)}, the indices are {list(indices.shape)}",
    )
    return np.take_along_axis(x, within(indices, x.shape[axis], negative=negative), axis)


@evaluates("gather_along_axis")
def gather_along_axis_15(x: Array, indices: Array, axis: int = 0) -> Array:
    """Takes elements along an axis, each line by its own indices."""
    return _along(x, indices, axis, negative=True)


@evaluates("gather_along_axis", since=17)
def gather_along_axis_17(x: Array, indices: Array, axis: int = 0, validate_indices: bool = False) -> Array:
    """Takes elements along an axis, each line by its own indices."""
    return _along(x, indices, axis, negative=False)


def places(shape: tuple[int, ...], indices: Array, *, negative: bool) -> tuple[Array, ...]:
    """Splits rows of indices into one array for each axis that they index.

    Raises:
        Refusal: If they index more axes than there are, or lie outside.
    """
    require(
        indices.ndim >= 1 and indices.shape[-1] <= len(shape), f"rows of {indices.shape[-1:]} index {shape}"
    )
    return tuple(within(indices[..., i], shape[i], negative=negative) for i in range(indices.shape[-1]))


def _nd(x: Array, indices: Array, batch_dims: int, *, negative: bool) -> Array:
    require(0 <= batch_dims < max(min(x.ndim, indices.ndim), 1), f"`batch_dims` is {batch_dims}")
    require(x.shape[:batch_dims] == indices.shape[:batch_dims], "the batches of x and of the indices differ")
    batches = math.prod(x.shape[:batch_dims])
    parts = [
        a[places(a.shape, i, negative=negative)]
        for a, i in zip(
            x.reshape(batches, *x.shape[batch_dims:]),
            indices.reshape(batches, *indices.shape[batch_dims:]),
            strict=True,
        )
    ]
    joined = np.stack(parts)
    return joined.reshape(*x.shape[:batch_dims], *joined.shape[1:])


@evaluates("gather_nd")
def gather_nd_15(x: Array, indices: Array) -> Array:
    """Takes what rows of indices point to."""
    return _nd(x, indices, 0, negative=True)


@evaluates("gather_nd", since=16)
def gather_nd_16(x: Array, indices: Array, batch_dims: int = 0) -> Array:
    """Takes what rows of indices point to, each batch by its own."""
    return _nd(x, indices, batch_dims, negative=True)


@evaluates("gather_nd", since=17)
def gather_nd_17(x: Array, indices: Array, batch_dims: int = 0, validate_indices: bool = False) -> Array:
    """Takes what rows of indices point to, each batch by its own."""
    return _nd(x, indices, batch_dims, negative=False)
