"""Ops that move elements without changing them."""

from __future__ import annotations

import math

import numpy as np

from edgekit.runners.mil_reference.ops.axes import normal, normal_all
from edgekit.runners.mil_reference.refusal import claim, require
from edgekit.runners.mil_reference.table import Ints, evaluates
from edgekit.runners.mil_reference.types import Array


@evaluates("shape")
def shape(x: Array) -> Array:
    """Gives the sizes."""
    return np.array(x.shape, np.int32)


@evaluates("reshape")
def reshape_15(x: Array, shape: Ints) -> Array:
    """Gives new sizes; 0 keeps the size of the same axis, if there are as many."""
    require(0 not in shape or len(shape) == x.ndim, "0 in `shape` asks for the rank to stay the same")
    return _reshaped(x, tuple(x.shape[i] if s == 0 else s for i, s in enumerate(shape)))


@evaluates("reshape", since=17)
def reshape_17(x: Array, shape: Ints) -> Array:
    """Gives new sizes; 0 keeps the size of the axis as far from the end, or is 1 where there is none."""
    shift = x.ndim - len(shape)
    kept = tuple((x.shape[i + shift] if i + shift >= 0 else 1) if s == 0 else s for i, s in enumerate(shape))
    return _reshaped(x, kept)


@evaluates("reshape_like", since=16)
def reshape_like(
    x: Array,
    ref_tensors: tuple[Array, ...],
    begins: tuple[Array, ...],
    ends: tuple[Array, ...],
    end_masks: tuple[Array, ...],
) -> Array:
    """Gives sizes that are taken from other tensors."""
    require(len(ref_tensors) == len(begins) == len(ends) == len(end_masks), "the tuples differ in length")
    sizes: list[int] = []
    for ref, begin, end, to_end in zip(ref_tensors, begins, ends, end_masks, strict=True):
        sizes += ref.shape[int(begin) : None if bool(to_end) else int(end)]
    return _reshaped(x, tuple(sizes))


def _reshaped(x: Array, sizes: tuple[int, ...]) -> Array:
    require(min(sizes, default=0) >= -1 and sizes.count(-1) <= 1, f"`shape` is {list(sizes)}")
    rest = math.prod(s for s in sizes if s != -1)
    fits = rest == x.size if -1 not in sizes else rest > 0 and x.size % rest == 0
    require(fits, f"{list(x.shape)} cannot become {list(sizes)}")
    return x.reshape(sizes)


@evaluates("flatten2d")
def flatten2d(x: Array, axis: int = 1) -> Array:
    """Flattens the axes before one, and those from it on."""
    require(-x.ndim <= axis <= x.ndim, f"there is no axis {axis} among {x.ndim}")
    axis = axis % x.ndim if axis < 0 else axis
    return x.reshape(math.prod(x.shape[:axis]), math.prod(x.shape[axis:]))


@evaluates("expand_dims")
def expand_dims(x: Array, axes: Ints) -> Array:
    """Puts in axes of one element."""
    return np.expand_dims(x, normal_all(axes, x.ndim + len(axes)))


@evaluates("squeeze")
def squeeze(x: Array, axes: Ints | None = None) -> Array:
    """Takes out axes of one element; longer ones stay."""
    chosen = tuple(range(x.ndim)) if axes is None else normal_all(axes, x.ndim)
    return x.squeeze(tuple(a for a in chosen if x.shape[a] == 1))


@evaluates("transpose")
def transpose(x: Array, perm: Ints) -> Array:
    """Reorders axes."""
    require(len(perm) == x.ndim, f"`perm` has {len(perm)} axes for the rank {x.ndim}")
    return x.transpose(normal_all(perm, x.ndim))


@evaluates("concat", alike=("values",))
def concat(values: tuple[Array, ...], axis: int, interleave: bool = False) -> Array:
    """Joins along an axis, block by block or one element of each in turn."""
    require(len(values) >= 1, "it is given no tensor")
    axis = normal(axis, values[0].ndim)
    if not interleave:
        return np.concatenate(values, axis)
    mixed = np.stack(values, axis + 1)
    return mixed.reshape(*mixed.shape[:axis], -1, *mixed.shape[axis + 2 :])


@evaluates("stack", alike=("values",))
def stack(values: tuple[Array, ...], axis: int) -> Array:
    """Joins along a new axis."""
    require(len(values) >= 1, "it is given no tensor")
    return np.stack(values, normal(axis, values[0].ndim + 1))


@evaluates("split")
def split(
    x: Array, axis: int, num_splits: int | None = None, split_sizes: Ints | None = None
) -> tuple[Array, ...]:
    """Cuts into parts along an axis."""
    axis = normal(axis, x.ndim)
    size = x.shape[axis]
    if split_sizes is None:
        require(num_splits is not None and num_splits >= 1, "neither `num_splits` nor `split_sizes` is given")
        count = num_splits or 1
        require(size % count == 0, f"{size} elements cannot be split into {count} equal parts")
        split_sizes = (size // count,) * count
    require(num_splits in (None, len(split_sizes)), "`num_splits` and `split_sizes` contradict each other")
    require(
        min(split_sizes, default=0) >= 0 and sum(split_sizes) == size, f"`split_sizes` is {list(split_sizes)}"
    )
    return tuple(np.split(x, np.cumsum(split_sizes)[:-1], axis))


@evaluates("tile")
def tile(x: Array, reps: Ints) -> Array:
    """Repeats along each axis."""
    require(
        len(reps) == x.ndim and min(reps, default=1) >= 1, f"`reps` is {list(reps)} for the rank {x.ndim}"
    )
    claim([s * r for s, r in zip(x.shape, reps, strict=True)])
    return np.tile(x, reps)


@evaluates("reverse")
def reverse(x: Array, axes: Ints | None = None) -> Array:
    """Turns around along axes."""
    return np.flip(x, None if axes is None else normal_all(axes, x.ndim))


@evaluates("reverse_sequence")
def reverse_sequence(x: Array, lengths: Ints, seq_axis: int = 0, batch_axis: int = 0) -> Array:
    """Turns around the first elements along an axis, as many as each sample has."""
    seq, batch = normal(seq_axis, x.ndim), normal(batch_axis, x.ndim)
    require(
        len(lengths) == x.shape[batch], f"`lengths` has {len(lengths)} numbers for {x.shape[batch]} samples"
    )
    require(all(0 <= n <= x.shape[seq] for n in lengths), f"`lengths` is {list(lengths)}")
    require(seq != batch, "`seq_axis` and `batch_axis` are the same")
    result = np.moveaxis(x, (batch, seq), (0, 1)).copy()
    for sample, n in zip(result, lengths, strict=True):
        sample[:n] = sample[:n][::-1].copy()
    return np.moveaxis(result, (0, 1), (batch, seq))


@evaluates("depth_to_space")
def depth_to_space(x: Array, block_size: int) -> Array:
    """Moves channels into space; the block is the slower part of the channels."""
    return _to_space(x, block_size, block_first=True)


@evaluates("pixel_shuffle")
def pixel_shuffle(x: Array, upscale_factor: int) -> Array:
    """Moves channels into space; the block is the faster part of the channels."""
    return _to_space(x, upscale_factor, block_first=False)


def _to_space(x: Array, block: int, *, block_first: bool) -> Array:
    require(x.ndim == 4 and block >= 1 and x.shape[1] % block**2 == 0, f"x {list(x.shape)}, block {block}")
    n, c, h, w = x.shape
    if block_first:
        parts = x.reshape(n, block, block, c // block**2, h, w).transpose(0, 3, 4, 1, 5, 2)
    else:
        parts = x.reshape(n, c // block**2, block, block, h, w).transpose(0, 1, 4, 2, 5, 3)
    return parts.reshape(n, c // block**2, h * block, w * block)


@evaluates("space_to_depth")
def space_to_depth(x: Array, block_size: int) -> Array:
    """Moves space into channels; the block becomes the slower part of the channels."""
    return _to_depth(x, block_size, block_first=True)


@evaluates("pixel_unshuffle", since=16)
def pixel_unshuffle(x: Array, downscale_factor: int) -> Array:
    """Moves space into channels; the block becomes the faster part of the channels."""
    return _to_depth(x, downscale_factor, block_first=False)


def _to_depth(x: Array, block: int, *, block_first: bool) -> Array:
    require(
        x.ndim == 4 and block >= 1 and x.shape[2] % block == 0 and x.shape[3] % block == 0,
        f"x {list(x.shape)}, block {block}",
    )
    n, c, h, w = x.shape
    parts = x.reshape(n, c, h // block, block, w // block, block)
    parts = parts.transpose(0, 3, 5, 1, 2, 4) if block_first else parts.transpose(0, 1, 3, 5, 2, 4)
    return parts.reshape(n, c * block**2, h // block, w // block)


@evaluates("space_to_batch")
def space_to_batch(x: Array, block_shape: Ints, paddings: Array) -> Array:
    """Moves space into the batch, after padding."""
    require(x.ndim == 4 and len(block_shape) == 2 and paddings.shape == (2, 2), "block or padding do not fit")
    padded = np.pad(x, [(0, 0), (0, 0), *((int(b), int(a)) for b, a in paddings)])
    (n, c, h, w), (a, b) = padded.shape, block_shape
    require(a >= 1 and b >= 1 and h % a == 0 and w % b == 0, f"{h} x {w} is not divisible by {a} x {b}")
    parts = padded.reshape(n, c, h // a, a, w // b, b).transpose(3, 5, 0, 1, 2, 4)
    return parts.reshape(a * b * n, c, h // a, w // b)


@evaluates("batch_to_space")
def batch_to_space(x: Array, block_shape: Ints, crops: Array) -> Array:
    """Moves the batch into space, then cuts off."""
    require(x.ndim == 4 and len(block_shape) == 2 and crops.shape == (2, 2), "block or crops do not fit")
    (n, c, h, w), (a, b) = x.shape, block_shape
    require(a >= 1 and b >= 1 and n % (a * b) == 0, f"{n} samples are not divisible by {a} x {b}")
    parts = x.reshape(a, b, n // (a * b), c, h, w).transpose(2, 3, 4, 0, 5, 1)
    whole = parts.reshape(n // (a * b), c, h * a, w * b)
    (top, bottom), (left, right) = crops.tolist()
    return whole[:, :, top : h * a - bottom, left : w * b - right]


@evaluates("sliding_windows")
def sliding_windows(x: Array, axis: int, size: int, stride: int = 1) -> Array:
    """Puts windows along an axis side by side."""
    axis = normal(axis, x.ndim)
    require(1 <= size <= x.shape[axis] and stride >= 1, f"`size` {size}, `stride` {stride}")
    seen = np.lib.stride_tricks.sliding_window_view(x, size, axis)
    every = seen[(*(slice(None),) * axis, slice(None, None, stride))]
    return np.moveaxis(every, -1, axis + 1)
