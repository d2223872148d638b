"""The order of nodes: an unsorted graph is sorted, a cycle is named."""

from __future__ import annotations

import onnx_ir as ir

from edgekit.diagnostics import Where, error
from edgekit.importers.origins import subgraphs
from edgekit.ir import origin_of


def sort(model: ir.Model, file: str | None) -> None:
    """Sorts all graphs so that values are produced before they are used; the order is stable.

    Args:
        model: The model, whose nodes carry origins.
        file: The model file, for the diagnostic.

    Raises:
        EdgekitError: EK104 with the nodes of a cycle.
    """
    graphs = [model.graph, *(f.graph for f in model.functions.values())]
    for graph in graphs:
        cycle = _cycle(graph)
        if cycle:
            nodes = tuple(dict.fromkeys(n for node in cycle for n in _ids(node)))
            path = " → ".join(f"`{n}`" for n in (*nodes, nodes[0])[:12])
            raise error(
                "EK104",
                "the graph has a cycle",
                where=Where(file=file, nodes=nodes),
                notes=[f"cycle: {path}"],
            )
        graph.sort()


def _ids(node: ir.Node) -> tuple[str, ...]:
    return origin_of(node).nodes or (node.name or node.op_type,)


def _cycle(graph: ir.Graph) -> list[ir.Node]:
    """Returns the nodes of one cycle in the order of the data, or nothing.

    A node that owns graphs depends on what the nodes in them use.
    """
    top = {node: _dependencies(node) for node in graph}
    for node in graph:
        for _, inner in subgraphs(node):
            if found := _cycle(inner):
                return found
    state: dict[ir.Node, bool] = {}  # False: on the path, True: done
    for start in top:
        found = _search(start, top, state)
        if found:
            return found[::-1]
    return []


def _search(start: ir.Node, edges: dict[ir.Node, list[ir.Node]], state: dict[ir.Node, bool]) -> list[ir.Node]:
    """Returns the nodes of a cycle that a depth-first search from `start` meets, users before producers."""
    if start in state:
        return []
    path, rest = [start], [iter(edges[start])]
    state[start] = False
    while path:
        node = next(rest[-1], None)
        if node is None:
            state[path.pop()] = True
            rest.pop()
        elif node not in state:
            state[node] = False
            path.append(node)
            rest.append(iter(edges[node]))
        elif state[node] is False:
            return path[path.index(node) :]
    return []


def _dependencies(node: ir.Node) -> list[ir.Node]:
    """Returns the nodes of the same graph that a node, or a node inside of it, takes values from."""
    graph, found, todo = node.graph, [], [node]
    while todo:
        current = todo.pop()
        for value in current.inputs:
            producer = value.producer() if value is not None else None
            if producer is not None and producer.graph is graph:
                found.append(producer)
        todo.extend(n for _, inner in subgraphs(current) for n in inner)
    return found
