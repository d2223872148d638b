"""Nested graphs: while_loop and cond from Python callables, and graphs put in the place of a call."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from edgekit.lowering.coreml.builder import CoreMlBuilder
from edgekit.lowering.ledger import Subgraph, Value
from edgekit.lowering.nested import Spec, common, graph_of


def while_loop(
    b: CoreMlBuilder,
    state: Sequence[Value],
    specs: Sequence[Spec],
    proceed: Callable[[CoreMlBuilder, list[Value]], Value],
    step: Callable[[CoreMlBuilder, list[Value]], Sequence[Value]],
) -> tuple[Value, ...]:
    """Emits while_loop.

    Args:
        b: The builder.
        state: The values before the first step.
        specs: Dtype and shape of each value at any time; `None` where a size changes.
        proceed: Emits the condition of another step: bool, rank 0.
        step: Emits the values after a step.

    Returns:
        The values after the last step.
    """
    outputs = tuple(b.value(dtype, shape) for dtype, shape in specs)
    params = {
        "loop_vars": tuple(state),
        "_cond": graph_of(b, "cond", specs, lambda c, values: [proceed(c, values)]),
        "_body": graph_of(b, "body", specs, step),
    }
    b.emit("while_loop", params, outputs)
    return outputs


def branch(
    b: CoreMlBuilder, condition: Value, values: Sequence[Value], yes: Subgraph, no: Subgraph
) -> tuple[Value, ...]:
    """Emits cond between two graphs of the same inputs."""
    specs = [(a.dtype, common(a.shape, c.shape)) for a, c in zip(yes.outputs, no.outputs, strict=True)]
    outputs = tuple(b.value(dtype, shape) for dtype, shape in specs)
    b.emit("cond", {"pred": condition, "operands": tuple(values), "_true_fn": yes, "_false_fn": no}, outputs)
    return outputs
