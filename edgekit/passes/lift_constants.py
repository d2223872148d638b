"""Turns Constant nodes into initializers, and initializers listed as graph inputs into mere initializers."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from edgekit.passes.edit import all_graphs, new_initializer
from edgekit.passes.report import PassReport

NAME = "lift-constants"


def call(model: ir.Model) -> PassReport:
    """Lifts every constant of every graph.

    Args:
        model: Changed in place.

    Returns:
        How many Constant nodes were lifted.
    """
    count = 0
    for graph in tuple(all_graphs(model.graph)):
        for value in tuple(graph.inputs):
            if value.name in graph.initializers:
                graph.inputs.remove(value)
        for node in tuple(graph):
            if node.op_type == "Constant" and not node.domain:
                count += _lift(node, graph)
    return PassReport(NAME, count, f"lifted {count} constants")


def _lift(node: ir.Node, graph: ir.Graph) -> bool:
    old = node.outputs[0]
    tensor = _tensor(node)
    if tensor is None:
        return False
    name, old.name = old.name or "constant", None
    new = new_initializer(graph, tensor, name)
    old.replace_all_uses_with(new, replace_graph_outputs=True)
    graph.remove(node, safe=True)
    return True


def _tensor(node: ir.Node) -> ir.TensorProtocol | np.ndarray | None:
    """Returns the elements of a Constant; `None` for a sparse one, which stays as it is."""
    for name, attr in node.attributes.items():
        value = attr.value
        if name == "value":
            return attr.as_tensor()
        if name in ("value_float", "value_floats"):
            return np.asarray(value, np.float32)
        if name in ("value_int", "value_ints"):
            return np.asarray(value, np.int64)
        if name in ("value_string", "value_strings"):
            texts = [value] if name == "value_string" else list(value)
            shape = ir.Shape([] if name == "value_string" else [len(texts)])
            return ir.StringTensor([t.encode() for t in texts], shape=shape)
    return None
