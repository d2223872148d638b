"""Nested graphs: loops and branches from Python callables, and graphs put in the place of a call."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from edgekit.lowering.ledger import Value
from edgekit.lowering.nested import Spec, graph_of
from edgekit.lowering.tvm.builder import TVMBuilder

MOST_STEPS = 2**40
"""Steps that a loop without a limit may take."""


def while_loop(
    b: TVMBuilder,
    state: Sequence[Value],
    specs: Sequence[Spec],
    proceed: Callable[[TVMBuilder, list[Value]], Value],
    step: Callable[[TVMBuilder, list[Value]], Sequence[Value]],
    most: int = MOST_STEPS,
) -> tuple[Value, ...]:
    """Emits a loop.

    Args:
        b: The builder.
        state: The values before the first step.
        specs: Dtype and shape of each value at any time; `None` where a size changes.
        proceed: Emits the condition of another step: bool, rank 0.
        step: Emits the values after a step.
        most: An upper limit of the number of steps.

    Returns:
        The values after the last step.
    """
    attrs = {
        "condition": graph_of(b, "condition", specs, lambda c, values: [proceed(c, values)]),
        "body": graph_of(b, "body", specs, step),
        "most": most,
    }
    return b.multi("while", state, specs, attrs)
