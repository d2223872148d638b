"""The table of our own decompositions."""

from __future__ import annotations

from collections.abc import Callable

from edgekit.passes.edit import Maker

Decomposition = Callable[[Maker], bool]
"""Replaces `maker.node` and returns True, or changes nothing and returns False."""

DECOMPOSITIONS: dict[str, Decomposition] = {}


def decomposes(*op_types: str) -> Callable[[Decomposition], Decomposition]:
    """Registers the decorated function as the decomposition of ops into simpler ones."""

    def register(function: Decomposition) -> Decomposition:
        for op_type in op_types:
            if op_type in DECOMPOSITIONS:
                raise ValueError(f"`{op_type}` has two decompositions")
            DECOMPOSITIONS[op_type] = function
        return function

    return register
