"""Puts the graph of a decomposition in the place of a node."""

from __future__ import annotations

import onnx_ir as ir

from edgekit.ir import inherit
from edgekit.passes.edit import drop, is_used, new_initializer, replace_value


def splice(node: ir.Node, fragment: ir.Model) -> list[ir.Node]:
    """Replaces a node by the nodes of its decomposition, with its origin and the names of its outputs.

    Args:
        node: The node.
        fragment: What `expand` returned for it; taken apart.

    Returns:
        The nodes that stand in its place, in order.
    """
    graph, inner = node.graph, fragment.graph
    assert isinstance(graph, ir.Graph)
    results = list(inner.outputs)
    inner.outputs.clear()
    base = node.outputs[0].name or node.name or node.op_type
    for formal, actual in zip(inner.inputs, node.inputs, strict=True):
        for user, index in tuple(formal.uses()):
            user.replace_input_with(index, actual)
        results = [actual if v is formal and actual is not None else v for v in results]
    for value in tuple(inner.initializers.values()):
        if value.uses() or value in results:
            assert value.const_value is not None
            moved = new_initializer(graph, value.const_value, f"{base}:{value.name}")
            value.replace_all_uses_with(moved)
            results = [moved if v is value else v for v in results]
    parts = list(inner)
    inner.remove(parts)
    graph.insert_before(node, parts)
    for part in parts:
        part.name = f"{node.name or base}/{part.name}"
        inherit(part, node)
        for value in part.outputs:
            if value.name:
                value.name = f"{base}/{value.name}"
    for old, new in zip(node.outputs, results, strict=True):
        if is_used(old):
            parts += _stand_for(node, old, new)
    drop(node)
    return parts


def _stand_for(node: ir.Node, old: ir.Value, new: ir.Value) -> list[ir.Node]:
    graph = node.graph
    assert isinstance(graph, ir.Graph)
    link: list[ir.Node] = []
    if old.is_graph_output() and (new.producer() is None or new.is_graph_output() or new.graph is not graph):
        made = ir.Node("", "Identity", [new], num_outputs=1, name=f"{node.name}/identity")
        inherit(made, node)
        graph.insert_before(node, made)
        made.outputs[0].type, made.outputs[0].shape = old.type, old.shape
        new, link = made.outputs[0], [made]
    elif new.producer() is not None and not old.is_graph_output() and new.graph is graph:
        new.name, old.name = old.name, None
    replace_value(old, new)
    return link
