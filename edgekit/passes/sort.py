"""Brings the nodes of every graph into an order in which producers come first."""

from __future__ import annotations

import onnx_ir as ir

from edgekit.diagnostics import error
from edgekit.passes.edit import all_graphs
from edgekit.passes.report import PassReport

NAME = "sort"


def call(model: ir.Model) -> PassReport:
    """Sorts graphs that are not sorted.

    Args:
        model: Changed in place.

    Returns:
        Whether anything moved.

    Raises:
        EdgekitError: EK104 when nodes depend on each other in a circle.
    """
    if all(_is_sorted(graph) for graph in all_graphs(model.graph)):
        return PassReport(NAME, 0, "already sorted")
    try:
        model.graph.sort()
    except ValueError as problem:
        raise error("EK104", "the nodes of the graph depend on each other in a circle") from problem
    return PassReport(NAME, 1, "sorted the nodes")


def _is_sorted(graph: ir.Graph) -> bool:
    """Tells whether no node reads, itself or in a subgraph, what a later node of the graph computes."""
    seen: set[ir.Node] = set()
    for node in graph:
        for reader in _with_inner(node):
            for value in reader.inputs:
                source = None if value is None else value.producer()
                if source is not None and source.graph is graph and source not in seen:
                    return False
        seen.add(node)
    return True


def _with_inner(node: ir.Node) -> list[ir.Node]:
    found = [node]
    for attr in node.attributes.values():
        graphs = (
            [attr.as_graph()]
            if attr.type == ir.AttributeType.GRAPH
            else attr.as_graphs()
            if attr.type == ir.AttributeType.GRAPHS
            else []
        )
        found.extend(inner for graph in graphs for part in graph for inner in _with_inner(part))
    return found
