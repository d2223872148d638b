"""Writes a model of the newest opset in an older one."""

from __future__ import annotations

from typing import Any

import onnx_ir as ir
from onnx import defs

from edgekit.diagnostics import Diagnostic, EdgekitError
from edgekit.passes.decompose import expand
from edgekit.passes.downgrade.table import REVERSES, Unreachable, Untyped
from edgekit.passes.downgrade.wider import through_float32
from edgekit.passes.edit import Maker, all_graphs, attribute, failure, subgraphs
from edgekit.passes.inference import infer, schema_of
from edgekit.passes.report import PassReport
from edgekit.passes.splice import splice
from edgekit.passes.upgrade import target_opset, versions_of
from edgekit.passes.upgrade.unchanged import UNCHANGED

NAME = "downgrade-opset"


def call(model: ir.Model, target: int) -> PassReport:
    """Brings every node of the default domain to an older opset.

    An op that does not exist there, or not with these attributes and dtypes, is decomposed; only what
    cannot be decomposed either is refused.

    Args:
        model: A prepared model; changed in place.
        target: The opset wanted.

    Returns:
        How many nodes were rewritten.

    Raises:
        EdgekitError: EK306, one for each node that has no equal form.
    """
    refused: list[Diagnostic] = []
    count = sum(_graph(graph, target, refused) for graph in tuple(all_graphs(model.graph)))
    if refused:
        raise EdgekitError(*refused)
    for graph in all_graphs(model.graph):
        if "" in graph.opset_imports:
            graph.opset_imports[""] = target
    model.graph.opset_imports[""] = target
    return PassReport(NAME, count, f"rewrote {count} nodes to opset {target}")


def _graph(graph: ir.Graph, target: int, refused: list[Diagnostic]) -> int:
    count = 0
    for node in tuple(graph):
        try:
            count += _node(node, target_opset(), target)
        except EdgekitError as problem:
            refused.extend(problem.diagnostics)
    return count


def _node(node: ir.Node, source: int, target: int) -> bool:
    """Brings a node from one opset to another; tells whether anything was rewritten."""
    if node.domain:
        return False
    attributes, inputs = dict(node.attributes), tuple(node.inputs)
    try:
        parts, changed = _step_down(node, source, target)
    except Unreachable as verdict:
        if source < target_opset():
            raise _refusal(node, target, str(verdict)) from verdict  # decompositions take the newest form
        _restore(node, attributes, inputs)
        return _decompose(node, target, verdict)
    for part, below in parts:
        _node(part, below, target)
    return changed


def _restore(node: ir.Node, attributes: dict[str, ir.Attr], inputs: tuple[ir.Value | None, ...]) -> None:
    node.attributes.clear()
    node.attributes.update(attributes)
    node.resize_inputs(len(inputs))
    for index, value in enumerate(inputs):
        node.replace_input_with(index, value)


def _step_down(node: ir.Node, source: int, target: int) -> tuple[list[tuple[ir.Node, int]], bool]:
    """Undoes changes from the newest on; returns parts that must go on from an opset, and whether any."""
    changed = False
    for version in reversed(versions_of(node.op_type)):
        if not target < version <= source:
            continue
        if version == versions_of(node.op_type)[0]:
            raise Unreachable(f"it does not exist before opset {version}")
        reverse = REVERSES.get((node.op_type, version))
        if reverse is None:
            if node.op_type in UNCHANGED.get(version, frozenset()):
                continue
            raise Unreachable(f"its form before opset {version} has another meaning")
        maker = Maker(node)
        reverse(maker)
        changed = True
        if maker.replaced:
            for part in maker.made:
                _type(part, version - 1)
            return [(part, version - 1) for part in maker.made], True
    _fit(node, target)
    return [], changed


def _type(part: ir.Node, version: int) -> None:
    """States the types of a made node, which the schemas of the target are held against."""
    for value, found in zip(part.outputs, infer(part, version), strict=True):
        value.type = value.type or found.type
        if value.shape is None and found.shape is not None:
            value.shape = ir.Shape(found.shape)


def _fit(node: ir.Node, target: int) -> None:
    """Holds a node to the schema of the target opset; neutral attributes are dropped.

    Raises:
        Unreachable: For an attribute, input, output or dtype that did not exist.
    """
    schema, newest = schema_of(node.op_type, target), schema_of(node.op_type, target_opset())
    if schema is None:
        raise Unreachable(f"it does not exist in opset {target}")
    for name in tuple(node.attributes):
        if name in schema.attributes:
            continue
        default = None if newest is None else newest.attributes[name].default_value
        neutral = default is not None and default.name and attribute(node, name) == _value(default)
        if not neutral:
            raise Unreachable(f"the attribute `{name}` does not exist in opset {target}")
        del node.attributes[name]
    if len(node.inputs) > schema.max_input or len(node.outputs) > schema.max_output:
        raise Unreachable(f"it has more inputs or outputs than in opset {target}")
    if len(node.inputs) < schema.min_input:
        raise Unreachable(f"it has fewer inputs than in opset {target}")
    allowed = {c.type_param_str: c.allowed_type_strs for c in schema.type_constraints}
    for formals, values in ((schema.inputs, node.inputs), (schema.outputs, node.outputs)):
        for index, value in enumerate(values):
            formal = formals[min(index, len(formals) - 1)]
            if value is None and formal.option == defs.OpSchema.FormalParameterOption.Single:
                raise Unreachable(f"its input `{formal.name}` is required in opset {target}")
            if value is not None and value.type is not None:
                _check_type(formal, value.type, allowed, target)


def _value(default: Any) -> Any:
    return ir.serde.deserialize_attribute(default).value


def _check_type(
    formal: defs.OpSchema.FormalParameter,
    kind: ir.TypeProtocol,
    allowed: dict[str, list[str]],
    target: int,
) -> None:
    text = _text(kind)
    if text not in allowed.get(formal.type_str, [formal.type_str]):
        plain = text.removeprefix("tensor(").removesuffix(")") if text.startswith("tensor") else text
        raise Untyped(f"it does not take {plain} in opset {target}")


def _text(kind: ir.TypeProtocol) -> str:
    """Returns a type as schemas write it: `seq(tensor(float))`."""
    if isinstance(kind, ir.SequenceType):
        return f"seq({_text(kind.elem_type)})"
    if isinstance(kind, ir.OptionalType):
        return f"optional({_text(kind.elem_type)})"
    return f"tensor({kind.dtype.name.lower()})"


def _decompose(node: ir.Node, target: int, verdict: Unreachable) -> bool:
    if isinstance(verdict, Untyped) and not subgraphs(node) and (parts := through_float32(node)):
        for part in parts:
            _node(part, target_opset(), target)
        return True
    fragment = None if subgraphs(node) else expand(node)
    if fragment is None:
        raise _refusal(node, target, str(verdict))
    for part in splice(node, fragment):
        inner = [n for graph in subgraphs(part) for g in all_graphs(graph) for n in g]
        for each in (part, *inner):
            _node(each, target_opset(), target)
    return True


def _refusal(node: ir.Node, target: int, reason: str) -> EdgekitError:
    return failure(
        "EK306",
        node,
        f"`{node.op_type}` cannot be written in opset {target}: {reason}",
        help="choose a newer `--opset`, or none",
    )
