"""Rules on reductions along axes."""

from __future__ import annotations

import math

from edgekit.compat.facts import Facts
from edgekit.compat.finding import Finding, fails, unknown
from edgekit.compat.rules.judging import fixed_shape
from edgekit.compat.rules.registry import rule

Reduced = tuple[tuple[int, ...], tuple[bool, ...]]
"""The sizes of the input, of rank 4 at least, and which of its axes are reduced."""


def _reduced(op: Facts) -> Reduced | None:
    axes, shape = op.axes, fixed_shape(op.ifm)
    if shape is None or axes is None:
        return None
    lead = max(0, 4 - len(shape))
    marked = [False] * lead + [i in axes for i in range(len(shape))]
    return (1,) * lead + shape, tuple(marked)


@rule("reduced-depth-flat")
def reduced_depth_flat(op: Facts) -> Finding | None:
    """where the last axis is reduced, height, width or channels must be 1"""
    found = _reduced(op)
    if found is None:
        return unknown("what is reduced")
    shape, marked = found
    if marked[-1] and 1 not in shape[1:4]:
        return fails(f"shape {list(shape)}")
    return None


@rule("reduced-size")
def reduced_size(op: Facts, *, high: int) -> Finding | None:
    """a reduced axis must have at most {high} elements"""
    found = _reduced(op)
    if found is None:
        return unknown("what is reduced")
    sizes = [d for d, on in list(zip(*found, strict=True))[-4:] if on]
    return fails(f"an axis of {max(sizes)}") if any(d > high for d in sizes) else None


@rule("reduced-elements")
def reduced_elements(op: Facts, *, dtypes: tuple[str, ...], high: int) -> Finding | None:
    """of dtype {dtypes}, at most {high} elements may be reduced to one"""
    found = _reduced(op)
    if op.ifm is None or op.dtype(op.ifm) not in dtypes:
        return None
    if found is None:
        return unknown("what is reduced")
    count = math.prod(d for d, on in zip(*found, strict=True) if on)
    return fails(f"{count} elements") if count > high else None


@rule("no-axes")
def no_axes(op: Facts) -> Finding | None:
    """the op must leave every axis as it is"""
    if op.axes is None:
        return unknown("the axes")
    return fails(f"axes {', '.join(map(str, op.axes))}") if op.axes else None
