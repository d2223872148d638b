"""Holds a model to the order of the hub: producers before readers, in every graph."""

from __future__ import annotations

import onnx_ir as ir

from edgekit.passes.edit import all_graphs, failure, subgraphs


def require_order(graph: ir.Graph) -> None:
    """Checks the order that importers give and that every pass keeps.

    Args:
        graph: The main graph; graphs inside of its nodes are checked as well.

    Raises:
        EdgekitError: EK104 at the first node that reads what a later one computes.
    """
    for each in all_graphs(graph):
        seen: set[ir.Node] = set()
        for node in each:
            for reader in _with_inner(node):
                for value in reader.inputs:
                    source = None if value is None else value.producer()
                    if source is not None and source.graph is each and source not in seen:
                        raise failure("EK104", reader, f"`{reader.op_type}` reads what a later node computes")
            seen.add(node)


def _with_inner(node: ir.Node) -> list[ir.Node]:
    """Returns a node and all nodes in its subgraphs."""
    return [node, *(part for inner in subgraphs(node) for graph in all_graphs(inner) for part in graph)]
