"""Permutations of axes. `T(p, x)` is `x.transpose(p)`: its axis `k` is the axis `p[k]` of `x`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

Perm = tuple[int, ...]
T = TypeVar("T")

NCHW_TO_NHWC: Perm = (0, 2, 3, 1)


def identity(rank: int) -> Perm:
    """Returns the permutation that changes nothing."""
    return tuple(range(rank))


def compose(first: Perm, then: Perm) -> Perm:
    """Returns `p` with `T(p, x) == T(then, T(first, x))`."""
    return tuple(first[k] for k in then)


def inverse(perm: Perm) -> Perm:
    """Returns `p` with `T(p, T(perm, x)) == x`."""
    result = [0] * len(perm)
    for k, axis in enumerate(perm):
        result[axis] = k
    return tuple(result)


def between(stored: Perm, wanted: Perm) -> Perm:
    """Returns `p` with `T(p, T(stored, x)) == T(wanted, x)`."""
    return compose(inverse(stored), wanted)


def permute(items: Sequence[T], perm: Perm) -> tuple[T, ...]:
    """Returns the items in the order of a transposed tensor's axes."""
    return tuple(items[k] for k in perm)
