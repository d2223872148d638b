"""ONNX's own opinion on a node that a lowering failed on: is the node itself contradictory?"""

from __future__ import annotations

import onnx
import onnx.shape_inference
import onnx_ir as ir

MAX_BYTES = 1 << 20
"""Larger constants are shown to ONNX by type and shape only."""


def contradiction(node: ir.Node, opset: int) -> str | None:
    """Asks ONNX's strict shape inference about one node.

    Args:
        node: A node without graph attributes, typed inputs.
        opset: The version of the default domain.

    Returns:
        What ONNX objects to, in one line; `None` if it does not object, or cannot tell.
    """
    if node.domain or any(a.type in _GRAPHS for a in node.attributes.values()):
        return None
    model = onnx.helper.make_model(_graph(node), opset_imports=[onnx.helper.make_opsetid("", opset)])
    model.ir_version = 10
    try:
        onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True)
    except (onnx.shape_inference.InferenceError, ValueError) as objection:
        lines = [line.strip() for line in str(objection).splitlines() if line.strip()]
        return lines[-1] if lines else "the node is not valid"
    return None


_GRAPHS = (ir.AttributeType.GRAPH, ir.AttributeType.GRAPHS)


def _graph(node: ir.Node) -> onnx.GraphProto:
    proto = ir.serde.serialize_node(node)
    used = {v.name: v for v in node.inputs if v is not None and v.name}
    small = {n: v for n, v in used.items() if v.const_value is not None and v.const_value.nbytes <= MAX_BYTES}
    return onnx.helper.make_graph(
        [proto],
        "node",
        [ir.serde.serialize_value(v) for n, v in used.items() if n not in small],
        [],
        [ir.serde.serialize_tensor(v.const_value) for v in small.values() if v.const_value is not None],
    )
