"""Removes nodes, initializers and optional outputs that nothing uses."""

from __future__ import annotations

import onnx_ir as ir
from onnx import defs

from edgekit.passes.edit import all_graphs, drop, is_used, subgraphs
from edgekit.passes.inference import schema_of
from edgekit.passes.report import PassReport

NAME = "dead-code"


def call(model: ir.Model) -> PassReport:
    """Removes what no output of the model depends on; inputs of the model stay.

    Args:
        model: Changed in place.

    Returns:
        How many nodes and initializers were removed.
    """
    version = model.graph.opset_imports.get("", 1)
    nodes = _sweep(model.graph, version)
    initializers = 0
    for graph in all_graphs(model.graph):
        for name, value in tuple(graph.initializers.items()):
            if not is_used(value):
                del graph.initializers[name]
                initializers += 1
    return PassReport(NAME, nodes + initializers, f"removed {nodes} nodes and {initializers} initializers")


def _sweep(graph: ir.Graph, version: int) -> int:
    count = 0
    for node in reversed(tuple(graph)):
        if not any(is_used(v) for v in node.outputs):
            drop(node)
            count += 1
            continue
        # Its subgraphs first: what they stop reading may make an earlier node dead.
        count += sum(_sweep(inner, version) for inner in subgraphs(node))
        _omit_unused_outputs(node, version)
    return count


def _omit_unused_outputs(node: ir.Node, version: int) -> None:
    if len(node.outputs) < 2 or node.domain or all(is_used(v) for v in node.outputs):
        return
    schema = schema_of(node.op_type, version)
    # A BatchNormalization in training mode is told by its attribute and needs its outputs.
    if schema is None or node.op_type == "BatchNormalization":
        return
    optional = defs.OpSchema.FormalParameterOption.Optional
    for formal, value in zip(schema.outputs, node.outputs, strict=False):
        if formal.option == optional and not is_used(value):
            value.name = ""
    count = len(node.outputs)
    while count > 1 and node.outputs[count - 1].name == "":
        count -= 1
    node.resize_outputs(count)
