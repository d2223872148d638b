"""Nested graphs on any backend: built from a callable, or put in the place of a call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np

from edgekit.lowering.builder import LedgerBuilder
from edgekit.lowering.ledger import Emitted, Shape, Subgraph, Value

Spec = tuple[Any, Shape]
"""Dtype and shape."""
B = TypeVar("B", bound=LedgerBuilder)


def inline(b: LedgerBuilder, graph: Subgraph, values: Sequence[Value]) -> tuple[Value, ...]:
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
    b: B, name: str, inputs: Sequence[Spec], compute: Callable[[B, list[Value]], Sequence[Value]]
) -> Subgraph:
    """Builds a nested graph from a callable that emits it."""
    child = b.child()
    child.origin = b.origin
    values = [child.value(dtype, shape) for dtype, shape in inputs]
    return child.finish(name, values, compute(child, values))


def common(a: Shape, c: Shape) -> Shape:
    """Returns the sizes that two shapes of one rank share; `None` where they differ.

    Raises:
        ValueError: If the ranks differ.
    """
    return tuple(p if p == q else None for p, q in zip(a, c, strict=True))


def int64(b: LedgerBuilder, number: int) -> Value:
    """Makes a rank-0 int64 constant, as counters are."""
    return b.const(number, np.int64)
