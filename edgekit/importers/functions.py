"""Local functions: every call is replaced by the body, under the origin of the call."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import onnx_ir as ir
from onnx_ir.passes.common import InlinePass

from edgekit.diagnostics import EdgekitError, Where, error
from edgekit.importers.onnx_checks.findings import shown
from edgekit.ir import origin_of

MAX_NODES = 1_000_000
"""Largest number of nodes after inlining; nested calls can multiply without bound."""

Functions = Mapping[ir.OperatorIdentifier, ir.Function]


def inline(model: ir.Model, file: str | None) -> None:
    """Inlines all functions and drops those that nobody calls.

    Args:
        model: The model, whose nodes (outside of functions) carry origins.
        file: The model file, for the diagnostics.

    Raises:
        EdgekitError: EK104 when a function calls itself or a call does not fit it, EK107 when the
            result would have more than `MAX_NODES` nodes, EK115 for graphs as parameters.
    """
    _prepare_calls(model, file)
    _check_size(model, file)
    for function in model.functions.values():
        _separate_outputs(function)
    InlinePass()(model)
    model.functions.clear()
    _make_names_unique(model)


def _prepare_calls(model: ir.Model, file: str | None) -> None:
    bodies = [f.graph for f in model.functions.values()]
    parameters = {name: _parameters(function) for name, function in model.functions.items()}
    for node in [n for graph in (model.graph, *bodies) for n in graph.all_nodes()]:
        called = node.op_identifier()
        function = model.functions.get(called)
        if function is None:
            continue
        where = Where(file=file, nodes=origin_of(node).nodes)
        name = shown(function.name)
        if len(node.inputs) > len(function.inputs) or len(node.outputs) > len(function.outputs):
            message = f"a call of the function {name} has more inputs or outputs than the function"
            raise error("EK104", message, where=where)
        node.resize_outputs(len(function.outputs))  # a call may leave the last ones out, the inliner not
        if any(a.type in (ir.AttributeType.GRAPH, ir.AttributeType.GRAPHS) for a in node.attributes.values()):
            raise error("EK115", f"a call of the function {name} passes a graph as parameter", where=where)
        for attribute in (*function.attributes.values(), *node.attributes.values()):
            if parameters[called].get(attribute.name, attribute.type) != attribute.type and attribute.value:
                message = f"the parameter {shown(attribute.name)} of the function {name} has the wrong type"
                raise error("EK104", message, where=where)


def _parameters(function: ir.Function) -> dict[str, ir.AttributeType]:
    """Returns the type of every parameter that the body of a function refers to."""
    references = (a for node in function.all_nodes() for a in node.attributes.values() if a.is_ref())
    return {a.ref_attr_name or "": a.type for a in references}


def _check_size(model: ir.Model, file: str | None) -> None:
    sizes: dict[ir.OperatorIdentifier, int] = {}
    size = _size(model.graph, model.functions, sizes, (), file)
    if size > MAX_NODES:
        message = f"the graph has {size} nodes when its functions are inlined; {MAX_NODES} are accepted"
        raise error("EK107", message, where=Where(file=file))


def _size(
    graph: ir.Graph,
    functions: Functions,
    sizes: dict[ir.OperatorIdentifier, int],
    stack: tuple[ir.OperatorIdentifier, ...],
    file: str | None,
) -> int:
    """Returns the number of nodes of a graph after inlining; `sizes` keeps those of functions."""
    total = 0
    for node in graph.all_nodes():
        called = node.op_identifier()
        if called not in functions:
            total += 1
            continue
        if called in stack:
            raise _recursive(functions, (*stack[stack.index(called) :], called), file)
        if called not in sizes:
            sizes[called] = _size(functions[called].graph, functions, sizes, (*stack, called), file)
        total += sizes[called]
    return total


def _recursive(
    functions: Functions, cycle: tuple[ir.OperatorIdentifier, ...], file: str | None
) -> EdgekitError:
    path = " → ".join(shown(functions[f].name) for f in cycle[:12])
    return error("EK104", "a function calls itself", where=Where(file=file), notes=[f"calls: {path}"])


def _separate_outputs(function: ir.Function) -> None:
    """Gives every output of a function a node of its own.

    The inliner passes the name of the call's output on to the value that the body returns, so a value
    that is also an input, or is returned twice, would be renamed under its other uses.
    """
    seen: set[ir.Value] = set()
    for index, value in enumerate(function.outputs):
        if value.producer() is None or value in seen:
            copy = ir.node("Identity", [value])
            function.append(copy)
            function.outputs[index] = copy.outputs[0]
        seen.add(value)


def _make_names_unique(model: ir.Model) -> None:
    """Renames values that got the name of another one; inputs and outputs of the model keep theirs."""
    taken: Counter[str] = Counter()
    seen: set[ir.Value] = set()
    for graph in model.graphs():
        made = [v for node in graph for v in node.outputs]
        for value in (*graph.inputs, *graph.outputs, *graph.initializers.values(), *made):
            if not value.name or value in seen:
                continue
            seen.add(value)
            name, base = value.name, value.name
            while name in taken:
                taken[base] += 1
                name = f"{base}_{taken[base]}"
            taken[name] += 1
            if name != base:
                value.name = name
