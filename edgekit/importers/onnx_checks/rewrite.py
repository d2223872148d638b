"""What the hub cannot hold is rewritten in a checked proto: sparse tensors, sizes of -1."""

from __future__ import annotations

from typing import Any

from edgekit.diagnostics import Severity
from edgekit.importers.onnx_checks.attribute import GRAPH, GRAPHS, SPARSE_TENSOR
from edgekit.importers.onnx_checks.findings import Findings, shown
from edgekit.importers.onnx_checks.sparse import densify


def rewrite(proto: Any, findings: Findings) -> None:
    """Rewrites all graphs of an `onnx.ModelProto` in place.

    Args:
        proto: The model, checked before.
        findings: Where notes on what was read differently go.
    """
    _rewrite_graph(proto.graph, findings)
    for function in proto.functions:
        _rewrite_nodes(function.node, findings)


def _rewrite_graph(graph: Any, findings: Findings) -> None:
    for sparse in graph.sparse_initializer:
        graph.initializer.append(densify(sparse))
    graph.ClearField("sparse_initializer")
    for info in (*graph.input, *graph.output, *graph.value_info):
        for dim in info.type.tensor_type.shape.dim:
            if dim.dim_value == -1:
                dim.ClearField("value")
                message = f"the size -1 of {shown(info.name)} is read as unknown"
                findings.add("EK104", message, severity=Severity.NOTE)
    _rewrite_nodes(graph.node, findings)


def _rewrite_nodes(nodes: Any, findings: Findings) -> None:
    for node in nodes:
        for attribute in node.attribute:
            if attribute.type == GRAPH:
                _rewrite_graph(attribute.g, findings)
            elif attribute.type == GRAPHS:
                for graph in attribute.graphs:
                    _rewrite_graph(graph, findings)
            elif attribute.type == SPARSE_TENSOR and node.op_type == "Constant":
                dense = densify(attribute.sparse_tensor)
                attribute.ClearField("sparse_tensor")
                attribute.name, attribute.type = "value", 4
                attribute.t.CopyFrom(dense)
