"""Axes counted from the end, and vectors along an axis."""

from __future__ import annotations

from collections.abc import Sequence

from edgekit.runners.mil_reference.refusal import require
from edgekit.runners.mil_reference.types import Array


def normal(axis: int, rank: int) -> int:
    """Returns an axis counted from the front.

    Raises:
        Refusal: If there is no such axis.
    """
    require(-rank <= axis < rank, f"there is no axis {axis} among {rank}")
    return axis % rank


def normal_all(axes: Sequence[int], rank: int) -> tuple[int, ...]:
    """Returns axes counted from the front.

    Raises:
        Refusal: If one does not exist or is named twice.
    """
    found = tuple(normal(axis, rank) for axis in axes)
    require(len(set(found)) == len(found), f"the axes {list(axes)} name one twice")
    return found


def along(vector: Array, axis: int, rank: int) -> Array:
    """Shapes a vector so that it broadcasts along one axis of a tensor."""
    return vector.reshape([-1 if i == axis else 1 for i in range(rank)])


def per_channel(vector: Array, x: Array, name: str) -> Array:
    """Shapes a vector so that it broadcasts along the channels (axis 1) of a tensor.

    Raises:
        Refusal: If it does not have one element for each channel.
    """
    require(x.ndim >= 2, f"x has the rank {x.ndim}, there are no channels")
    require(
        vector.shape == (x.shape[1],),
        f"`{name}` has the shape {list(vector.shape)} for {x.shape[1]} channels",
    )
    return along(vector, 1, x.ndim)
