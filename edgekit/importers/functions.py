"""Local functions: every call is replaced by the body, under the origin of the call."""

from __future__ import annotations

from collections import Counter
from graphlib import CycleError, TopologicalSorter

import onnx_ir as ir
from onnx_ir.convenience import replace_all_uses_with

from edgekit.diagnostics import Where, error
from edgekit.importers.onnx_checks.findings import shown
from edgekit.ir import Origin, origin_of, set_origin

MAX_NODES = 50_000
"""Largest number of nodes after inlining; nested calls can multiply without bound."""


def inline(model: ir.Model, file: str | None) -> None:
    """Inlines all functions and drops those that nobody calls.

    Functions are expanded in each other first, innermost before outermost, so that neither recursion nor
    the same work twice is needed. (The inliner of `onnx_ir` takes quadratic time for repeated names.)

    Args:
        model: The model, whose nodes (outside of functions) carry origins.
        file: The model file, for the diagnostics.

    Raises:
        EdgekitError: EK104 when a function calls itself or a call does not fit it, EK107 when the
            result would have more than `MAX_NODES` nodes, EK115 for graphs as parameters.
    """
    _check_calls(model, file)
    for name in _order(model, file):
        if name in model.functions:
            _expand_calls(model.functions[name].graph, model)
    _expand_calls(model.graph, model)
    for function in model.functions.values():
        for domain, version in function.opset_imports.items():
            model.opset_imports.setdefault(domain, version)
    model.functions.clear()
    _make_names_unique(model)


def _check_calls(model: ir.Model, file: str | None) -> None:
    bodies = [f.graph for f in model.functions.values()]
    parameters = {name: _parameters(function) for name, function in model.functions.items()}
    for node in (n for graph in (model.graph, *bodies) for n in graph.all_nodes()):
        called = node.op_identifier()
        function = model.functions.get(called)
        if function is None:
            continue
        where = Where(file=file, nodes=origin_of(node).nodes)
        name = shown(function.name)
        if len(node.inputs) > len(function.inputs) or len(node.outputs) > len(function.outputs):
            message = f"a call of the function {name} has more inputs or outputs than the function"
            raise error("EK104", message, where=where)
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


def _order(model: ir.Model, file: str | None) -> tuple[ir.OperatorIdentifier, ...]:
    """Returns functions (and `_NODE`) so that each comes after those that it calls."""
    contents = {name: _contents(function.graph, model) for name, function in model.functions.items()}
    try:
        order = tuple(TopologicalSorter(contents).static_order())
    except CycleError as failure:
        path = " → ".join(shown(name[1]) for name in failure.args[1][:12])
        notes = [f"calls: {path}"]
        raise error("EK104", "a function calls itself", where=Where(file=file), notes=notes) from None
    sizes: dict[ir.OperatorIdentifier, int] = {}
    for name in order:
        sizes[name] = _total(contents[name], sizes) if name in contents else 1
    size = _total(_contents(model.graph, model), sizes)
    if size > MAX_NODES:
        message = f"the graph has {size} nodes when its functions are inlined; {MAX_NODES} are accepted"
        raise error("EK107", message, where=Where(file=file))
    return order


_NODE = ("", "", "")
"""Stands for any node that is not a call."""


def _contents(graph: ir.Graph, model: ir.Model) -> Counter[ir.OperatorIdentifier]:
    """Returns how often a graph calls each function, and how many other nodes it has."""
    called = (node.op_identifier() for node in graph.all_nodes())
    return Counter(name if name in model.functions else _NODE for name in called)


def _total(contents: Counter[ir.OperatorIdentifier], sizes: dict[ir.OperatorIdentifier, int]) -> int:
    return sum(count * sizes.get(name, 1) for name, count in contents.items())


def _expand_calls(graph: ir.Graph, model: ir.Model) -> None:
    """Expands the calls of functions, whose own bodies hold none any more, in a graph and its subgraphs."""
    for node in tuple(graph.all_nodes()):
        function = model.functions.get(node.op_identifier())
        if function is not None:
            _expand(node, function)


def _expand(call: ir.Node, function: ir.Function) -> None:
    body = function.clone()
    origin = origin_of(call)
    for node in body.all_nodes():
        _bind_parameters(node, call, function)
        if origin.nodes:  # a call in another function has none; its nodes get theirs from the outermost call
            _claim(node, origin)
    for index, formal in enumerate(body.inputs):
        actual = call.inputs[index] if index < len(call.inputs) else None
        for user, position in tuple(formal.uses()):
            user.replace_input_with(position, actual)
    results = [_result(body, value, call) for value in body.outputs]
    nodes = tuple(body)
    body.outputs.clear()
    body.remove(nodes)
    owner = call.graph
    assert owner is not None  # it was found in a graph
    owner.insert_before(call, nodes)
    for old, new in zip(call.outputs, results, strict=False):  # a call may leave the last ones out
        new.name, new.type, new.shape = old.name, old.type or new.type, old.shape or new.shape
        replace_all_uses_with(old, new, replace_graph_outputs=True)
    owner.remove(call, safe=True)


def _claim(node: ir.Node, origin: Origin) -> None:
    """Marks a node of a body, and its values, as belonging to the call that brought it into the graph."""
    set_origin(node, origin)
    prefix = origin.nodes[0]
    node.name = f"{prefix}/{node.name or node.op_type}"
    for value in node.outputs:
        if value.name:
            value.name = f"{prefix}/{value.name}"


def _bind_parameters(node: ir.Node, call: ir.Node, function: ir.Function) -> None:
    """Replaces references to parameters by what the call gives, else by the default, else by nothing."""
    for name, attribute in tuple(node.attributes.items()):
        if not attribute.is_ref():
            continue
        parameter = attribute.ref_attr_name or ""
        given = call.attributes.get(parameter) or function.attributes.get(parameter)
        del node.attributes[name]
        if given is None:
            continue
        if given.is_ref():  # the call stands in the body of another function
            node.attributes[name] = ir.RefAttr(name, given.ref_attr_name or "", given.type)
        elif given.value is not None:
            node.attributes[name] = ir.Attr(name, given.type, given.value)


def _result(body: ir.Function, value: ir.Value, call: ir.Node) -> ir.Value:
    """Returns a value of its own for an output; one that is an input too, or a second output, is copied."""
    if value.producer() is not None and list(body.outputs).count(value) == 1:
        return value
    source: ir.Value | None = value
    if value.is_graph_input():
        index = list(body.inputs).index(value)
        source = call.inputs[index] if index < len(call.inputs) else None
    copy = ir.node("Identity", [source])
    if origin_of(call).nodes:
        _claim(copy, origin_of(call))
    body.append(copy)
    return copy.outputs[0]


def _make_names_unique(model: ir.Model) -> None:
    """Renames values and nodes that got the name of another; inputs and outputs of the model keep theirs."""
    values, nodes = _Names(), _Names()
    seen: set[ir.Value] = set()
    for graph in model.graphs():
        made = [v for node in graph for v in node.outputs]
        for value in (*graph.inputs, *graph.outputs, *graph.initializers.values(), *made):
            if value.name and value not in seen:
                seen.add(value)
                value.name = values.unique(value.name)
        for node in graph:
            if node.name:
                node.name = nodes.unique(node.name)


class _Names:
    """Hands out every name once; the time does not depend on how often one repeats."""

    def __init__(self) -> None:
        self._taken: Counter[str] = Counter()

    def unique(self, name: str) -> str:
        """Returns the name, or the first free one of `name_1`, `name_2`, ..."""
        base = name
        while name in self._taken:
            self._taken[base] += 1
            name = f"{base}_{self._taken[base]}"
        self._taken[name] = 0
        return name
