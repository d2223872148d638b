"""Finds outputs that the source model itself draws at random: nothing can be compared with them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import onnx_ir as ir

from edgekit.ir import Model

_RANDOM = frozenset(
    ("RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Multinomial", "Bernoulli")
)


def random_outputs(model: Model) -> Mapping[str, str]:
    """Returns the outputs that depend on a random op, and the type of that op.

    Args:
        model: The source model.
    """
    found: dict[str, str] = {}
    for output in model.ir.graph.outputs:
        op = next((n.op_type for n in _ancestors(output) if _is_random(n)), None)
        if op is not None and output.name:
            found[output.name] = op
    return found


def _ancestors(value: ir.Value) -> Iterator[ir.Node]:
    """Yields every node that a value depends on, with the nodes of their subgraphs."""
    pending, seen = [value], set[ir.Node]()
    while pending:
        node = pending.pop().producer()
        if node is None or node in seen:
            continue
        seen.add(node)
        yield node
        pending.extend(v for v in node.inputs if v is not None)
        for inner in _inner_nodes(node):
            yield inner
            pending.extend(v for v in inner.inputs if v is not None)


def _inner_nodes(node: ir.Node) -> Iterator[ir.Node]:
    for attribute in node.attributes.values():
        if attribute.type == ir.AttributeType.GRAPH:
            yield from ir.traversal.RecursiveGraphIterator(attribute.value)
        elif attribute.type == ir.AttributeType.GRAPHS:
            for graph in attribute.value:
                yield from ir.traversal.RecursiveGraphIterator(graph)


def _is_random(node: ir.Node) -> bool:
    if node.op_type in _RANDOM:
        return True
    # Dropout is random in training mode only, which is its third operand.
    return node.op_type == "Dropout" and len(node.inputs) > 2 and _may_be_true(node.inputs[2])


def _may_be_true(value: ir.Value | None) -> bool:
    if value is None:
        return False
    tensor = ir.convenience.get_const_tensor(value)
    return tensor is None or bool(tensor.numpy().any())
