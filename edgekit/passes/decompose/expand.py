"""`expand`: a node as a stand-alone model, by our own decomposition or ONNX's function body."""

from __future__ import annotations

import onnx_ir as ir

from edgekit.passes import (
    dead_code,
    deduplicate,
    identities,
    inline_functions,
    lift_constants,
    merge_relabels,
    normalise,
    unique_names,
)
from edgekit.passes.decompose.function_body import DOMAIN, fill_defaults, function_body
from edgekit.passes.decompose.table import DECOMPOSITIONS
from edgekit.passes.edit import Maker, is_constant
from edgekit.passes.upgrade import target_opset

FOLD_LIMIT_BYTES = 2**20


def expand(node: ir.Node) -> ir.Model | None:
    """Replaces a node by a small graph that computes the same.

    First choice is our own table, then the ONNX function body of the op. Known constant inputs are
    constants of the graph as well, so that shape arithmetic in it is folded.

    Args:
        node: A node of a prepared model (newest opset, typed inputs).

    Returns:
        A prepared model of its own, or `None` when no decomposition exists. Its graph has one input for
        each input of the node and one output for each output of the node, in order, those that the node
        leaves out included (such inputs are not used in it). Its nodes have no origin: who splices them
        in gives them the origin of the node.
    """
    imports = {"": target_opset()}
    if node.domain and node.graph is not None:
        imports[node.domain] = node.graph.opset_imports.get(node.domain, 1)
    model, formals = _fragment(node, imports)
    copy = model.graph[0]
    if not (_ours(copy) or _onnx(model, copy, imports[node.domain])):
        return None
    for step in (inline_functions.call, lift_constants.call):
        step(model)
    normalise.call(model, FOLD_LIMIT_BYTES)
    for step in (dead_code.call, identities.call, merge_relabels.call, deduplicate.call, dead_code.call):
        step(model)
    unique_names.call(model)
    model.graph.inputs.clear()
    model.graph.inputs.extend(formals)
    return model


def _fragment(node: ir.Node, imports: dict[str, int]) -> tuple[ir.Model, list[ir.Value]]:
    """Copies a node into a graph of its own; constant inputs are initializers, others graph inputs."""
    formals = []
    for index, value in enumerate(node.inputs):
        formal = ir.Value(name=f"in{index}")
        if value is not None:
            formal.type, formal.shape = value.type, value.shape
            formal.const_value = value.const_value if is_constant(value) else None
        formals.append(formal)
    present = [None if v is None else f for v, f in zip(node.inputs, formals, strict=True)]
    copy = ir.Node(
        node.domain,
        node.op_type,
        present,
        tuple(node.attributes.values()),
        num_outputs=len(node.outputs),
        name=node.op_type.lower(),
    )
    for index, (old, new) in enumerate(zip(node.outputs, copy.outputs, strict=True)):
        new.name, new.type, new.shape = f"out{index}", old.type, old.shape
    known = [f for f in formals if f.const_value is not None]
    graph = ir.Graph(
        [f for f in formals if f.const_value is None],
        list(copy.outputs),
        nodes=[copy],
        initializers=known,
        opset_imports=imports,
        name=node.op_type,
    )
    return ir.Model(graph, ir_version=10), formals


def _ours(node: ir.Node) -> bool:
    function = None if node.domain else DECOMPOSITIONS.get(node.op_type)
    return function is not None and function(Maker(node))


def _onnx(model: ir.Model, node: ir.Node, version: int) -> bool:
    body = function_body(node, version)
    if body is None:
        return False
    fill_defaults(node, version)
    node.domain = DOMAIN
    model.functions[body.identifier()] = body
    return True
