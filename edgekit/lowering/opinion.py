"""ONNX's own opinion on a node that a lowering failed on: is the node itself contradictory?"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
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
        return _last_line(objection)
    return _executed(node, model)


def _executed(node: ir.Node, model: onnx.ModelProto) -> str | None:
    """Runs the node in ONNX's reference implementation and holds the result to what the model states."""
    from onnx.reference import ReferenceEvaluator

    given = {v.name: _example(v) for v in node.inputs if v is not None and v.const_value is None}
    if any(array is None for array in given.values()):
        return None
    model.graph.output.extend(
        onnx.helper.make_empty_tensor_value_info(v.name) for v in node.outputs if v.name
    )
    try:
        with np.errstate(all="ignore"):
            results = ReferenceEvaluator(model).run(None, given)
    except NotImplementedError:  # ONNX has no reference implementation of the op: no opinion
        return None
    except Exception as objection:  # noqa: BLE001 - whatever it raises is its objection
        return _last_line(objection)
    for value, result in zip([v for v in node.outputs if v.name], results, strict=True):
        stated = None if value.shape is None else value.shape.numpy() if value.shape.is_static() else None
        if stated is not None and isinstance(result, np.ndarray) and stated != result.shape:
            return f"the model states the shape {stated} of `{value.name}` where ONNX gives {result.shape}"
    return None


def _example(value: ir.Value) -> Any:
    """Returns ones of the stated type and shape, sizes known only at run time as 1."""
    if value.shape is None or value.dtype is None:
        return None
    shape = tuple(d if isinstance(d, int) else 1 for d in value.shape)
    return np.ones(shape, value.dtype.numpy()) if math.prod(shape) <= MAX_BYTES else None


def _last_line(objection: Exception) -> str:
    lines = [line.strip() for line in str(objection).splitlines() if line.strip()]
    return lines[-1] if lines else f"the node is not valid ({type(objection).__name__})"


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
