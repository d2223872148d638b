"""Changes the constants of a node."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from edgekit.passes.edit import new_initializer
from edgekit.quantize.arithmetic import Array


def replace_constant(node: ir.Node, index: int, data: Array) -> None:
    """Gives a node a float32 constant of its own; another node that shares the old one keeps it.

    Args:
        node: A node of a graph.
        index: Which operand; one after the last appends it.
        data: The elements.
    """
    graph = node.graph
    assert isinstance(graph, ir.Graph)
    old = node.inputs[index] if index < len(node.inputs) else None
    base = (old.name if old is not None else None) or f"{node.name}:{index}"
    made = new_initializer(graph, np.ascontiguousarray(data, np.float32), f"{base}:changed")
    if index >= len(node.inputs):
        node.resize_inputs(index + 1)
    node.replace_input_with(index, made)
    if old is not None and not old.uses() and not old.is_graph_output():
        graph.initializers.pop(old.name or "", None)
