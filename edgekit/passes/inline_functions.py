"""Replaces calls of model-local functions by their bodies."""

from __future__ import annotations

import onnx_ir as ir

from edgekit.diagnostics import error
from edgekit.ir import inherit
from edgekit.passes.edit import all_graphs, replace_value
from edgekit.passes.report import PassReport

NAME = "inline-functions"


def call(model: ir.Model) -> PassReport:
    """Inlines every call; the nodes of a body get the origin of the call and keep the opset of the function.

    Args:
        model: Changed in place; has no functions afterwards.

    Returns:
        How many calls were inlined.

    Raises:
        EdgekitError: EK104 when functions call each other in a circle.
    """
    functions = model.functions
    count = sum(_inline_in(graph, functions, ()) for graph in tuple(all_graphs(model.graph)))
    functions.clear()
    return PassReport(NAME, count, f"inlined {count} calls")


_Functions = dict[ir.OperatorIdentifier, ir.Function]


def _inline_in(graph: ir.Graph, functions: _Functions, callers: tuple[ir.OperatorIdentifier, ...]) -> int:
    count = 0
    for node in tuple(graph):
        function = functions.get(node.op_identifier())
        if function is not None:
            count += 1 + _inline(node, graph, function, functions, callers)
    return count


def _inline(
    node: ir.Node,
    graph: ir.Graph,
    function: ir.Function,
    functions: _Functions,
    callers: tuple[ir.OperatorIdentifier, ...],
) -> int:
    name = node.op_identifier()
    if name in callers:
        raise error("EK104", f"the function `{function.name}` calls itself")
    for domain, version in function.opset_imports.items():
        graph.opset_imports.setdefault(domain, version)
    body = function.clone()
    versions = function.opset_imports
    for inner in all_graphs(body.graph):
        for part in inner:
            part.version = part.version or versions.get(part.domain)
            _bind_attributes(part, node, function)
            inherit(part, node)
            if part.name:
                part.name = f"{node.name or function.name}/{part.name}"
        for value in tuple(inner.initializers.values()):
            value.name = f"{node.name or function.name}/{value.name}"
    count = sum(_inline_in(inner, functions, (*callers, name)) for inner in tuple(all_graphs(body.graph)))
    for index, formal in enumerate(body.inputs):
        actual = node.inputs[index] if index < len(node.inputs) else None
        _bind_input(formal, actual)
    results, parts = tuple(body.outputs), tuple(body)
    body.outputs.clear()
    body.remove(parts)
    graph.insert_before(node, parts)
    for old, new in zip(node.outputs, results, strict=False):
        _bind_output(node, graph, old, new)
    graph.remove(node, safe=True)
    return count


def _bind_input(formal: ir.Value, actual: ir.Value | None) -> None:
    for user, position in tuple(formal.uses()):
        user.replace_input_with(position, actual)


def _bind_output(node: ir.Node, graph: ir.Graph, old: ir.Value, new: ir.Value) -> None:
    if old.is_graph_output() and (new.producer() is None or new.is_graph_output()):
        link = ir.Node("", "Identity", [new], num_outputs=1)
        inherit(link, node)
        graph.insert_before(node, link)
        new = link.outputs[0]
    elif new.producer() is not None and not old.is_graph_output():
        new.name, old.name = old.name, None
    new.type, new.shape = old.type or new.type, old.shape or new.shape
    replace_value(old, new)


def _bind_attributes(part: ir.Node, node: ir.Node, function: ir.Function) -> None:
    """Replaces references to attributes of the function by those of the call, or their defaults."""
    for name, attr in tuple(part.attributes.items()):
        if not attr.is_ref():
            continue
        reference = attr.ref_attr_name or ""
        given = node.attributes.get(reference) or function.attributes.get(reference)
        del part.attributes[name]
        if given is not None and given.value is not None:
            part.attributes[name] = ir.Attr(name, given.type, given.value)
