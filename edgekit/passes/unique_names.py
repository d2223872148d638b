"""Gives every node and value a name of its own, across nested graphs; inputs and outputs keep theirs."""

from __future__ import annotations

import onnx_ir as ir

from edgekit.passes.edit import all_graphs
from edgekit.passes.report import PassReport

NAME = "unique-names"


def call(model: ir.Model) -> PassReport:
    """Renames what shares a name with something else.

    Args:
        model: Changed in place.

    Returns:
        How many names were changed.
    """
    taken = {v.name for v in (*model.graph.inputs, *model.graph.outputs) if v.name}
    nodes: set[str] = set()
    count = 0
    for graph in all_graphs(model.graph):
        interface = set() if graph is not model.graph else {*graph.inputs, *graph.outputs}
        values = [*graph.inputs, *graph.initializers.values(), *(v for n in graph for v in n.outputs)]
        for value in dict.fromkeys(values):
            if value in interface or value.name == "":
                continue
            count += _rename(value, value.name or "value", taken)
        for node in graph:
            count += _rename(node, node.name or node.op_type.lower(), nodes)
    return PassReport(NAME, count, f"changed {count} names")


def _rename(item: ir.Value | ir.Node, wish: str, taken: set[str]) -> bool:
    name, number = wish, 1
    while name in taken:
        name, number = f"{wish}_{number}", number + 1
    taken.add(name)
    if item.name == name:
        return False
    item.name = name
    return True
