"""Nested graphs: WHILE and IF from Python callables, and graphs put in the place of a call."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from edgekit.lowering.ledger import Subgraph, Value
from edgekit.lowering.nested import Spec, common, graph_of
from edgekit.lowering.tflite.builder import TFLiteBuilder


def while_loop(
    b: TFLiteBuilder,
    state: Sequence[Value],
    specs: Sequence[Spec],
    proceed: Callable[[TFLiteBuilder, list[Value]], Value],
    step: Callable[[TFLiteBuilder, list[Value]], Sequence[Value]],
) -> tuple[Value, ...]:
    """Emits WHILE.

    Args:
        b: The builder.
        state: The values before the first step.
        specs: Dtype and shape of each value at any time; `None` where a size changes.
        proceed: Emits the condition of another step: bool, rank 0.
        step: Emits the values after a step.

    Returns:
        The values after the last step.
    """
    attrs = {
        "cond_subgraph_index": graph_of(b, "cond", specs, lambda c, values: [proceed(c, values)]),
        "body_subgraph_index": graph_of(b, "body", specs, step),
    }
    return b.multi("WHILE", state, specs, attrs)


def branch(
    b: TFLiteBuilder, condition: Value, values: Sequence[Value], yes: Subgraph, no: Subgraph
) -> tuple[Value, ...]:
    """Emits IF between two graphs of the same inputs."""
    specs = [(a.dtype, common(a.shape, c.shape)) for a, c in zip(yes.outputs, no.outputs, strict=True)]
    attrs = {"then_subgraph_index": yes, "else_subgraph_index": no}
    return b.multi("IF", [condition, *values], specs, attrs)
