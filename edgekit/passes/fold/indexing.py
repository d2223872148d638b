"""Kernels of gather, scatter and searching."""

from __future__ import annotations

import numpy as np

from edgekit.passes.fold.table import Array, Call, Decline, folds, normal_axis, refuse_nan, require_plain


def _checked(indices: Array, size: int) -> Array:
    if indices.size and (indices.min() < -size or indices.max() >= size):
        raise Decline("index out of range")
    return np.where(indices < 0, indices + size, indices)


@folds("Gather")
def gather(call: Call) -> Array:
    """Takes slices along an axis."""
    axis = normal_axis(call.attr("axis", 0), call[0].ndim)
    return np.take(call[0], _checked(call[1], call[0].shape[axis]), axis)


@folds("GatherElements")
def gather_elements(call: Call) -> Array:
    """Takes single elements along an axis."""
    axis = normal_axis(call.attr("axis", 0), call[0].ndim)
    indices = _checked(call[1], call[0].shape[axis])
    index: list[Array] = list(np.indices(indices.shape, sparse=True))
    index[axis] = indices
    return call[0][tuple(index)]


@folds("GatherND")
def gather_nd(call: Call) -> Array:
    """Takes slices addressed by tuples; without batch axes."""
    if call.attr("batch_dims", 0):
        raise Decline("batch axes")
    depth = call[1].shape[-1]
    return call[0][tuple(_checked(call[1][..., k], call[0].shape[k]) for k in range(depth))]


@folds("ScatterND")
def scatter_nd(call: Call) -> Array:
    """Overwrites slices addressed by tuples; without reduction."""
    if call.attr("reduction", "none") != "none":
        raise Decline("reduction")
    result = call[0].copy()
    index = tuple(_checked(call[1][..., k], call[0].shape[k]) for k in range(call[1].shape[-1]))
    result[index] = call[2]
    return result


@folds("NonZero")
def non_zero(call: Call) -> Array:
    """Coordinates of elements that are not zero, one column each."""
    require_plain(call[0])
    data = call[0].reshape(1) if call[0].ndim == 0 else call[0]
    return np.array(np.nonzero(data), np.int64)


@folds("ArgMax", "ArgMin")
def arg_extreme(call: Call) -> Array:
    """Position of the first (or last) extreme element."""
    require_plain(call[0])
    refuse_nan(call[0])
    axis = normal_axis(call.attr("axis", 0), call[0].ndim)
    function = np.argmax if call.node.op_type == "ArgMax" else np.argmin
    if call.attr("select_last_index", 0):
        found = call[0].shape[axis] - 1 - function(np.flip(call[0], axis), axis)
    else:
        found = function(call[0], axis)
    found = np.asarray(found, np.int64)
    return np.expand_dims(found, axis) if call.attr("keepdims", 1) else found


@folds("TopK")
def top_k(call: Call) -> list[Array]:
    """The extreme elements and their positions, sorted; ties by position."""
    require_plain(call[0])
    refuse_nan(call[0])
    if not call.attr("sorted", 1):
        raise Decline("the order is not defined")
    axis = normal_axis(call.attr("axis", -1), call[0].ndim)
    data = np.moveaxis(call[0], axis, -1)
    if call.attr("largest", 1):
        backwards = np.argsort(data[..., ::-1], axis=-1, kind="stable")[..., ::-1]
        order = data.shape[-1] - 1 - backwards
    else:
        order = np.argsort(data, axis=-1, kind="stable")
    order = order[..., : int(call[1].reshape(-1)[0])]
    values = np.take_along_axis(data, order, -1)
    return [
        np.asarray(np.moveaxis(values, -1, axis), order="C"),
        np.asarray(np.moveaxis(order, -1, axis).astype(np.int64), order="C"),
    ]
