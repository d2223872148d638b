"""Nested graphs: while_loop and cond from Python callables, and graphs put in the place of a call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from edgekit.lowering.coreml.builder import CoreMlBuilder
from edgekit.lowering.ledger import Emitted, Shape, Subgraph, Value

Spec = tuple[Any, Shape]
"""Dtype and shape."""


def inline(b: CoreMlBuilder, graph: Subgraph, values: Sequence[Value]) -> tuple[Value, ...]:
    """Emits the ops of a graph once more, on other inputs.

    Args:
        b: Where to emit them.
        graph: The graph.
        values: What takes the place of its inputs.

    Returns:
        What its outputs are.
    """
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
    b: CoreMlBuilder,
    name: str,
    inputs: Sequence[Spec],
    compute: Callable[[CoreMlBuilder, list[Value]], Sequence[Value]],
) -> Subgraph:
    """Builds a nested graph from a callable that emits it."""
    child = b.child()
    child.origin = b.origin
    values = [child.value(dtype, shape) for dtype, shape in inputs]
    return child.finish(name, values, compute(child, values))


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


def common(a: Shape, c: Shape) -> Shape:
    """Returns the sizes that two shapes of one rank share; `None` where they differ.

    Raises:
        ValueError: If the ranks differ.
    """
    return tuple(p if p == q else None for p, q in zip(a, c, strict=True))


def int64(b: CoreMlBuilder, number: int) -> Value:
    """Makes a rank-0 int64 constant, as counters are."""
    return b.const(number, np.int64)
