"""Order: `argsort`, `topk`. Equal elements keep their order; a device may choose another."""

from __future__ import annotations

import numpy as np

from edgekit.runners.mil_reference.ops.axes import normal
from edgekit.runners.mil_reference.refusal import require
from edgekit.runners.mil_reference.table import evaluates
from edgekit.runners.mil_reference.types import Array


def order(x: Array, axis: int, *, ascending: bool) -> Array:
    """Returns the indices that sort along an axis, as int64."""
    if ascending:
        return np.argsort(x, axis, kind="stable")
    turned = np.argsort(np.flip(x, axis), axis, kind="stable")
    return np.flip(x.shape[axis] - 1 - turned, axis)


@evaluates("argsort")
def argsort(x: Array, axis: int = -1, ascending: bool = False) -> Array:
    """Gives the indices that sort along an axis."""
    return order(x, normal(axis, x.ndim), ascending=ascending).astype(np.int32)


def _top(x: Array, k: int, axis: int, ascending: bool) -> tuple[Array, Array]:
    axis = normal(axis, x.ndim)
    require(0 <= k <= x.shape[axis], f"`k` is {k} for {x.shape[axis]} elements")
    first = np.take(order(x, axis, ascending=ascending), np.arange(k), axis)
    return np.take_along_axis(x, first, axis), first.astype(np.int32)


@evaluates("topk")
def topk_15(x: Array, k: int = 1, axis: int = -1, ascending: bool = False) -> tuple[Array, ...]:
    """Gives the largest or smallest elements, sorted, and where they are."""
    return _top(x, k, axis, ascending)


@evaluates("topk", since=16)
def topk_16(
    x: Array,
    k: int = 1,
    axis: int = -1,
    ascending: bool = False,
    sort: bool = True,
    return_indices: bool = True,
) -> tuple[Array, ...]:
    """Gives the largest or smallest elements; they are sorted even where the op does not ask for it."""
    return _top(x, k, axis, ascending)[: 2 if return_indices else 1]


@evaluates("topk", since=17)
def topk_17(
    x: Array,
    k: int = 1,
    axis: int = -1,
    ascending: bool = False,
    sort: bool = True,
    return_indices: bool = True,
    output_indices_dtype: str = "int32",
) -> tuple[Array, ...]:
    """Gives the largest or smallest elements; -1 asks for all of them."""
    require(
        output_indices_dtype in ("int32", "uint16"), f"`output_indices_dtype` is `{output_indices_dtype}`"
    )
    values, indices = _top(x, x.shape[normal(axis, x.ndim)] if k == -1 else k, axis, ascending)
    return (values, indices.astype(output_indices_dtype)) if return_indices else (values,)
