"""Kernels of ops that move elements without calculating: any dtype."""

from __future__ import annotations

import math

import numpy as np

from edgekit.passes.fold.table import Array, Call, Decline, folds, normal_axis


@folds("Identity")
def identity(call: Call) -> Array:
    """The same elements."""
    return call[0]


@folds("Reshape")
def reshape(call: Call) -> Array:
    """0 copies the size (unless `allowzero`), -1 is the rest."""
    sizes = call.ints(1) or []
    if not call.attr("allowzero", 0):
        if any(s == 0 and axis >= call[0].ndim for axis, s in enumerate(sizes)):
            raise Decline("0 beyond the rank of the input")
        sizes = [call[0].shape[axis] if s == 0 else s for axis, s in enumerate(sizes)]
    if sizes.count(-1) > 1 or (-1 in sizes and 0 in sizes):
        raise Decline("-1 is ambiguous")
    fixed = math.prod(s for s in sizes if s != -1)
    if call[0].size % fixed if -1 in sizes else call[0].size != fixed:
        raise Decline("the number of elements differs")
    return call[0].reshape(sizes)


@folds("Flatten")
def flatten(call: Call) -> Array:
    """Two axes: those before `axis`, those from it on."""
    axis = call.attr("axis", 1)
    axis = axis + call[0].ndim if axis < 0 else axis
    return call[0].reshape(math.prod(call[0].shape[:axis]), math.prod(call[0].shape[axis:]))


@folds("Squeeze")
def squeeze(call: Call) -> Array:
    """Removes axes of size 1: the given ones, or all."""
    axes = call.ints(1)
    if axes is None:
        return call[0].squeeze()
    normal = tuple(normal_axis(a, call[0].ndim) for a in axes)
    if any(call[0].shape[a] != 1 for a in normal):
        raise Decline("an axis is not of size 1")
    return call[0].squeeze(normal)


@folds("Unsqueeze")
def unsqueeze(call: Call) -> Array:
    """Inserts axes of size 1 at positions of the output."""
    axes = call.ints(1) or []
    return np.expand_dims(call[0], tuple(normal_axis(a, call[0].ndim + len(axes)) for a in axes))


@folds("Transpose")
def transpose(call: Call) -> Array:
    """Permutes axes; by default reverses them."""
    return np.asarray(call[0].transpose(call.attr("perm")), order="C")


@folds("Concat")
def concat(call: Call) -> Array:
    """Joins along an axis."""
    return np.concatenate([call[i] for i in range(len(call.inputs))], call.attr("axis"))


@folds("Slice")
def slice_(call: Call) -> Array:
    """Takes ranges of axes, forwards or backwards."""
    data, starts, ends = call[0], call.ints(1) or [], call.ints(2) or []
    axes = call.ints(3) or list(range(len(starts)))
    steps = call.ints(4) or [1] * len(starts)
    index = [slice(None)] * data.ndim
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        size = data.shape[axis]
        # Going backwards, an end below -size means up to and including element 0.
        index[axis] = slice(start, None if step < 0 and end < -size else end, step)
    return np.asarray(data[tuple(index)], order="C")


@folds("Split")
def split(call: Call) -> list[Array]:
    """Cuts an axis into given sizes, or equal ones with a smaller last."""
    axis = normal_axis(call.attr("axis", 0), call[0].ndim)
    sizes, count = call.ints(1), len(call.node.outputs)
    if sizes is None:
        size = -(-call[0].shape[axis] // count)
        sizes = [size] * (count - 1) + [call[0].shape[axis] - size * (count - 1)]
    if sum(sizes) != call[0].shape[axis] or min(sizes) < 0:
        raise Decline("sizes do not add up")
    return [np.asarray(part, order="C") for part in np.split(call[0], np.cumsum(sizes)[:-1], axis)]


@folds("Expand")
def expand(call: Call) -> Array:
    """Broadcasts both ways."""
    shape = np.broadcast_shapes(call[0].shape, tuple(call.ints(1) or []))
    return np.asarray(np.broadcast_to(call[0], shape), order="C")


@folds("Tile")
def tile(call: Call) -> Array:
    """Repeats along each axis."""
    return np.tile(call[0], call.ints(1) or [])


@folds("Pad")
def pad(call: Call) -> Array:
    """Constant, edge, reflect and wrap padding; cropping by negative pads is left to the runtime."""
    rank = call[0].ndim
    axes = call.ints(3)
    axes = list(range(rank)) if axes is None else [normal_axis(a, rank) for a in axes]
    amounts = call.ints(1) or []
    if any(p < 0 for p in amounts):
        raise Decline("negative pads")
    widths = [(0, 0)] * rank
    for k, axis in enumerate(axes):
        widths[axis] = (amounts[k], amounts[k + len(axes)])
    mode = call.attr("mode", "constant")
    if mode != "constant":
        if 0 in call[0].shape or (
            mode == "reflect" and any(max(w) >= s for w, s in zip(widths, call[0].shape, strict=True))
        ):
            raise Decline("too little data to pad from")
        return np.pad(call[0], widths, mode=mode)
    fill = call.get(2)
    return np.pad(call[0], widths, constant_values=0 if fill is None else fill.reshape(()))
