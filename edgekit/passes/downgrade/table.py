"""The table of reverse adapters: (op, version) -> how to write that version's form in the one before."""

from __future__ import annotations

from collections.abc import Callable

from edgekit.passes.edit import Maker


class Unreachable(Exception):  # noqa: N818 - a verdict, not a failure of the program
    """The node has no equal form before a version; the message says why."""


class Untyped(Unreachable):
    """The version before does not take a dtype of the node."""


Reverse = Callable[[Maker], None]
REVERSES: dict[tuple[str, int], Reverse] = {}


def reverses(*op_types: str, of: int) -> Callable[[Reverse], Reverse]:
    """Registers the decorated function for the step from a version of ops to the one before.

    The function changes `maker.node` in place or replaces it, or raises `Unreachable`.

    Args:
        op_types: The ops.
        of: The version whose change is undone.
    """

    def register(function: Reverse) -> Reverse:
        for op_type in op_types:
            if (op_type, of) in REVERSES:
                raise ValueError(f"`{op_type}` of {of} is in the table twice")
            REVERSES[op_type, of] = function
        return function

    return register
