"""`Refusal`: what an op cannot do; the evaluator makes the diagnostic of it."""

from __future__ import annotations

import math
from collections.abc import Sequence

_MOST_ELEMENTS = 2**28


class Refusal(Exception):  # noqa: N818 - it becomes an EdgekitError that names the op
    """Why an op, a value or a parameter is not accepted."""


def require(condition: bool, reason: str) -> None:
    """Refuses unless a condition holds.

    Raises:
        Refusal: With the reason.
    """
    if not condition:
        raise Refusal(reason)


def claim(shape: Sequence[int]) -> tuple[int, ...]:
    """Returns a shape that is about to be allocated.

    Raises:
        Refusal: If a size is negative or the tensor would have more elements than is sensible.
    """
    sizes = tuple(int(size) for size in shape)
    require(all(size >= 0 for size in sizes), f"the result would have the shape {list(sizes)}")
    require(
        math.prod(sizes) <= _MOST_ELEMENTS,
        f"the result would have the shape {list(sizes)}, more than {_MOST_ELEMENTS} elements",
    )
    return sizes
