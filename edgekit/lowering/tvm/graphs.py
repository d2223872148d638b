"""Nested graphs: loops and branches from Python callables, and graphs put in the place of a call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from edgekit.lowering.ledger import Emitted, Shape, Subgraph, Value
from edgekit.lowering.tvm.builder import TVMBuilder

Spec = tuple[Any, Shape]
"""Dtype and shape."""
MOST_STEPS = 2**40
"""Steps that a loop without a limit may take."""


def inline(b: TVMBuilder, graph: Subgraph, values: Sequence[Value]) -> tuple[Value, ...]:
    """Emits the ops of a graph once more, on other inputs; returns what its outputs are."""
    known = dict(zip(graph.inputs, values, strict=True))
    for op in graph.ops:
        for output in op.outputs:
            known[output] = b.value(output.dtype, output.shape, output.quant)
            if output in graph.names:
                b.names.setdefault(known[output], graph.names[output])
        inputs = tuple(None if v is None else known.get(v, v) for v in op.inputs)
        b.ops.append(Emitted(op.op, inputs, tuple(known[v] for v in op.outputs), op.attrs, op.origin))
    return tuple(known.get(v, v) for v in graph.outputs)


def graph_of(
    b: TVMBuilder,
    name: str,
    inputs: Sequence[Spec],
    compute: Callable[[TVMBuilder, list[Value]], Sequence[Value]],
) -> Subgraph:
    """Builds a nested graph from a callable that emits it."""
    child = b.child()
    child.origin = b.origin
    values = [child.value(dtype, shape) for dtype, shape in inputs]
    return child.finish(name, values, compute(child, values))


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


def common(a: Shape, c: Shape) -> Shape:
    """Returns the shape that holds for both, `None` where they differ."""
    return tuple(x if x == y else None for x, y in zip(a, c, strict=True))
