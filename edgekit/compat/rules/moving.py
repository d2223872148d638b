"""Rules on ops that move elements: transposes, slices, gathers, splits."""

from __future__ import annotations

import math
from itertools import combinations

from edgekit.compat.facts import Facts
from edgekit.compat.finding import Finding, fails, unknown
from edgekit.compat.rules.judging import fixed_shape
from edgekit.compat.rules.registry import rule

Moved = tuple[tuple[int, ...], tuple[int, ...]]


def _moved(op: Facts) -> Moved | None:
    """Returns shape and permutation of a transpose."""
    perm = op.ints("perm")
    shape = fixed_shape(op.ifm)
    if perm is None or shape is None or len(perm) != len(shape):
        return None
    return shape, tuple(p % len(shape) for p in perm)


def _tail(perm: tuple[int, ...]) -> tuple[int, ...] | None:
    """Returns how the last three axes change places, `None` if another axis moves."""
    rank = len(perm)
    wide = (*range(8 - rank), *(p + 8 - rank for p in perm)) if rank <= 8 else perm
    return tuple(p - 5 for p in wide[5:]) if wide[:5] == tuple(range(5)) else None


@rule("transpose-sizes")
def transpose_sizes(op: Facts, *, high: int) -> Finding | None:
    """moved axes must have at most {high} elements: each of the last three, else all but any two together"""
    found = _moved(op)
    if found is None:
        return unknown("the permutation")
    shape, perm = found
    tail = _tail(perm)
    if tail == (0, 1, 2):
        return None
    outer = math.prod(shape[:-3])
    if tail is not None and outer == 1:
        return fails(f"shape {list(shape)}") if any(d > high for d in shape[-3:]) else None
    total = math.prod(shape)
    for i, j in combinations(range(len(shape)), 2):
        if total // (shape[i] * shape[j]) > high:
            return fails(f"shape {list(shape)}")
    return None


@rule("transpose-words")
def transpose_words(
    op: Facts, *, rank: int, channels_kept: int, channels_swapped: int, high: int
) -> Finding | None:
    """rank {rank} at most, and height and width or width and channels swapped, within sizes

    Channels in place may have up to `channels_kept` elements; under swapped height and width (up to `high`
    each, batch 1) up to `channels_swapped`; swapped width and channels up to `high` each.
    """
    found = _moved(op)
    if found is None:
        return unknown("the permutation")
    shape, perm = (1,) * (4 - len(found[0])) + found[0], found[1]
    if len(shape) > rank:
        return fails(f"rank {len(shape)}")
    n, h, w, c = shape
    limits = {
        (0, 1, 2): c <= channels_kept,
        (1, 0, 2): n == 1 and h <= high and w <= high and c <= channels_swapped,
        (0, 2, 1): n * h <= high and w <= high and c <= high,
    }
    tail = _tail(perm)
    if tail not in limits:
        return fails(f"permutation {list(perm)}")
    return None if limits[tail] else fails(f"shape {list(shape)}")


@rule("slice-steps")
def slice_steps(op: Facts) -> Finding | None:
    """steps must be positive, and 1 but along height and width"""
    steps, shape = op.ints("strides"), fixed_shape(op.ifm)
    if steps is None or shape is None:
        return unknown("the steps")
    along = _steps_by_axis(op, steps, len(shape))
    if along is None:
        return fails("masks that name more axes than there are")
    if math.prod(along[:-3]) * along[-1] != 1 or any(s < 0 for s in along):
        return fails(f"steps {list(steps)}")
    return None


def _steps_by_axis(op: Facts, steps: tuple[int, ...], rank: int) -> list[int] | None:
    """Returns the step along each axis of the input; a mask for a new axis counts as one of the input's."""
    ellipsis = int(op.attr("ellipsis_mask") or 0)
    along, axis = [1] * rank, 0
    for i, step in enumerate(steps):
        if ellipsis >> i & 1:
            axis = rank - (len(steps) - i - 1)
            continue
        if not 0 <= axis < rank:
            return None
        along[axis] = step
        axis += 1
    return [1] * (3 - rank) + along


@rule("gather-along-batch")
def gather_along_batch(op: Facts) -> Finding | None:
    """the axis must be the first behind the batch axes"""
    if op.axes is None:
        return unknown("the axis")
    batch = int(op.attr("batch_dims") or 0)
    return None if op.axes == (batch,) else fails(f"axis {op.axes[0]} behind {batch} batch axes")


@rule("indices-distinct")
def indices_distinct(op: Facts) -> Finding | None:
    """indices must be constant scalars, each once"""
    indices = op.operand(0)
    if indices is None or indices.data is None:
        return fails("indices that are computed at run time")
    if indices.shape[-1:] != (1,):
        return fails(f"indices of shape {list(indices.shape)}")
    values = indices.data.reshape(-1).tolist()
    return fails("an index comes twice") if len(set(values)) != len(values) else None


@rule("parts-counted")
def parts_counted(op: Facts) -> Finding | None:
    """the number of parts must be the number of results"""
    parts = int(op.attr("num_splits") or 0)
    return None if parts == len(op.ofms) else fails(f"{parts} parts and {len(op.ofms)} results")
