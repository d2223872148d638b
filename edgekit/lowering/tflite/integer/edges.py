"""Public inputs and outputs as integers: takes QUANTIZE and DEQUANTIZE away from the edges."""

from __future__ import annotations

from dataclasses import replace

from edgekit.lowering.ledger import Emitted, Subgraph, Value


def integer_io(graph: Subgraph) -> tuple[Subgraph, dict[Value, Value]]:
    """Makes public what QUANTIZE and DEQUANTIZE at the edges convert.

    Args:
        graph: A graph with integer ops.

    Returns:
        The graph, and the integers that took the place of its inputs and outputs. An input with other
        readers, or one that is an output too, stays as it is.
    """
    readers: dict[Value, list[Emitted]] = {}
    for op in graph.ops:
        for value in op.inputs:
            if value is not None:
                readers.setdefault(value, []).append(op)
    changed: dict[Value, Value] = {}
    for value in graph.inputs:
        uses = readers.get(value, [])
        if len(uses) == 1 and _is_plain(uses[0], "QUANTIZE") and value not in graph.outputs:
            changed[value] = uses[0].outputs[0]
    for op in graph.ops:
        result = op.outputs[0]
        if _is_plain(op, "DEQUANTIZE") and result in graph.outputs and op.inputs[0] is not None:
            changed[result] = op.inputs[0]
    kept = tuple(op for op in graph.ops if not _is_at_the_edge(op, graph, changed, readers))
    names = {changed.get(v, v): name for v, name in graph.names.items()}
    inputs = tuple(changed.get(v, v) for v in graph.inputs)
    outputs = tuple(changed.get(v, v) for v in graph.outputs)
    return replace(graph, inputs=inputs, outputs=outputs, ops=kept, names=names), changed


def _is_plain(op: Emitted, name: str) -> bool:
    """Tells whether an op is the kernel and not a marker, which is float arithmetic."""
    return op.op == name and not op.attrs


def _is_at_the_edge(
    op: Emitted, graph: Subgraph, changed: dict[Value, Value], readers: dict[Value, list[Emitted]]
) -> bool:
    if _is_plain(op, "QUANTIZE"):
        return op.inputs[0] in changed and op.inputs[0] in graph.inputs
    result = op.outputs[0]
    return _is_plain(op, "DEQUANTIZE") and result in changed and not readers.get(result)
