"""Scattering by indices, which are held as in `gather`.

Of several updates of one place by `update` the last one stays here; which one does is not specified.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from edgekit.runners.mil_reference.ops.axes import normal
from edgekit.runners.mil_reference.ops.gather import places, within
from edgekit.runners.mil_reference.refusal import Refusal, require
from edgekit.runners.mil_reference.table import evaluates
from edgekit.runners.mil_reference.types import Array

_COMBINE: dict[str, Callable[..., Any]] = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "div": np.divide,
    "max": np.maximum,
    "min": np.minimum,
}
_TENSORS = ("data", "updates")


def _apply(target: Array, key: tuple[Any, ...], updates: Array, mode: str) -> None:
    """Changes a tensor in place."""
    if mode == "update":
        target[key] = updates
        return
    if mode not in _COMBINE:
        raise Refusal(f"`mode` is `{mode}`")
    require(
        mode != "div" or target.dtype.kind == "f", "how a quotient of integers is rounded is not specified"
    )
    combine: Any = _COMBINE[mode]
    combine.at(target, key, updates)


def _slices(data: Array, indices: Array, updates: Array, axis: int, mode: str, *, negative: bool) -> Array:
    axis = normal(axis, data.ndim)
    require(indices.ndim == 1, f"the indices have the rank {indices.ndim} instead of 1")
    wanted = (*data.shape[:axis], indices.shape[0], *data.shape[axis + 1 :])
    require(updates.shape == wanted, f"`updates` is {list(updates.shape)} instead of {list(wanted)}")
    result = data.copy()
    found = within(indices, data.shape[axis], negative=negative)
    _apply(np.moveaxis(result, axis, 0), (found,), np.moveaxis(updates, axis, 0), mode)
    return result


def _lines(data: Array, indices: Array, updates: Array, axis: int, mode: str, *, negative: bool) -> Array:
    axis = normal(axis, data.ndim)
    require(indices.shape == updates.shape, f"indices {list(indices.shape)}, updates {list(updates.shape)}")
    require(
        indices.ndim == data.ndim
        and all(i == d or k == axis for k, (i, d) in enumerate(zip(indices.shape, data.shape, strict=True))),
        f"data {list(data.shape)}, indices {list(indices.shape)}",
    )
    result = data.copy()
    key: list[Any] = list(np.ogrid[tuple(map(slice, indices.shape))])
    key[axis] = within(indices, data.shape[axis], negative=negative)
    _apply(result, tuple(key), updates, mode)
    return result


def _nd(data: Array, indices: Array, updates: Array, mode: str, *, negative: bool) -> Array:
    key = places(data.shape, indices, negative=negative)
    wanted = (*indices.shape[:-1], *data.shape[indices.shape[-1] :])
    require(updates.shape == wanted, f"`updates` is {list(updates.shape)} instead of {list(wanted)}")
    result = data.copy()
    _apply(result, key, updates, mode)
    return result


@evaluates("scatter", alike=_TENSORS)
def scatter_15(data: Array, indices: Array, updates: Array, axis: int = 0, mode: str = "add") -> Array:
    """Changes slices along an axis."""
    return _slices(data, indices, updates, axis, mode, negative=True)


@evaluates("scatter", since=17, alike=_TENSORS)
def scatter_17(
    data: Array,
    indices: Array,
    updates: Array,
    axis: int = 0,
    mode: str = "add",
    validate_indices: bool = False,
) -> Array:
    """Changes slices along an axis."""
    return _slices(data, indices, updates, axis, mode, negative=False)


@evaluates("scatter_along_axis", alike=_TENSORS)
def scatter_along_axis_15(
    data: Array, indices: Array, updates: Array, axis: int = 0, mode: str = "add"
) -> Array:
    """Changes elements along an axis, each line by its own indices."""
    return _lines(data, indices, updates, axis, mode, negative=True)


@evaluates("scatter_along_axis", since=17, alike=_TENSORS)
def scatter_along_axis_17(
    data: Array,
    indices: Array,
    updates: Array,
    axis: int = 0,
    mode: str = "add",
    validate_indices: bool = False,
) -> Array:
    """Changes elements along an axis, each line by its own indices."""
    return _lines(data, indices, updates, axis, mode, negative=False)


@evaluates("scatter_nd", alike=_TENSORS)
def scatter_nd_15(data: Array, indices: Array, updates: Array, mode: str = "add") -> Array:
    """Changes what rows of indices point to."""
    return _nd(data, indices, updates, mode, negative=True)


@evaluates("scatter_nd", since=17, alike=_TENSORS)
def scatter_nd_17(
    data: Array, indices: Array, updates: Array, mode: str = "add", validate_indices: bool = False
) -> Array:
    """Changes what rows of indices point to."""
    return _nd(data, indices, updates, mode, negative=False)
