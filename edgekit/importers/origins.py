"""Gives every imported node its origin: a stable unique id, a scope, and the user's source line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import onnx_ir as ir

from edgekit.ir import Origin, set_origin


def assign(model: ir.Model) -> None:
    """Sets the origin of every node, including those in subgraphs and functions."""
    _assign_graph(model.graph, "")
    for function in model.functions.values():
        _assign_graph(function.graph, f"{function.name}/")


def _assign_graph(nodes: ir.Graph, prefix: str) -> None:
    for node, id_ in zip(nodes, unique_ids(nodes), strict=True):
        set_origin(node, Origin(nodes=(prefix + id_,)))
        for name, graph in subgraphs(node):
            _assign_graph(graph, f"{prefix}{id_}/{name}/")


def unique_ids(nodes: Iterable[ir.Node]) -> list[str]:
    """Returns an id per node: its name, or `<OpType>_<index>` where that is empty or not unique."""
    nodes = list(nodes)
    count = Counter(node.name for node in nodes)
    taken = {name for name in count if name}
    ids = []
    for index, node in enumerate(nodes):
        if node.name and count[node.name] == 1:
            ids.append(node.name)
            continue
        id_ = f"{node.op_type}_{index}"
        while id_ in taken:
            id_ += "_"
        taken.add(id_)
        ids.append(id_)
    return ids


def subgraphs(node: ir.Node) -> list[tuple[str, ir.Graph]]:
    """Returns the graphs that a node owns, each with the name of its attribute."""
    found: list[tuple[str, ir.Graph]] = []
    for name, attribute in node.attributes.items():
        if attribute.is_ref():
            continue
        if attribute.type == ir.AttributeType.GRAPH:
            found.append((name, attribute.as_graph()))
        elif attribute.type == ir.AttributeType.GRAPHS:
            found.extend((f"{name}[{i}]", graph) for i, graph in enumerate(attribute.as_graphs()))
    return found
