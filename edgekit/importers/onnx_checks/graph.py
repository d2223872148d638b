"""A `GraphProto` or `FunctionProto`: every name defined once, every reference defined, and the order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from edgekit.diagnostics import error
from edgekit.importers.onnx_checks.attribute import GRAPH, GRAPHS, SPARSE_TENSOR, check_attribute
from edgekit.importers.onnx_checks.findings import Findings, shown
from edgekit.importers.onnx_checks.schema import check_node
from edgekit.importers.onnx_checks.sparse import check_sparse
from edgekit.importers.onnx_checks.tensor import check_tensor
from edgekit.importers.onnx_checks.text import broken_texts
from edgekit.importers.onnx_checks.types import Role, check_constant, check_value

MAX_DEPTH = 24
"""Deepest nesting of graphs; protobuf itself ends near 30."""


@dataclass(slots=True)
class Facts:
    """What the checks learned on the way.

    Attributes:
        sorted: Every value is produced before it is used.
        external: Some tensor keeps its data outside of the file.
        rewrite: Something must be rewritten before the hub can take it: sparse tensors, sizes of -1.
    """

    sorted: bool = True
    external: bool = False
    rewrite: bool = False


@dataclass(slots=True)
class Scope:
    """Names that a graph can see.

    Attributes:
        outer: The graph around it.
        all: Every name that the graph defines.
        defined: Those defined before the node that is being checked.
    """

    outer: Scope | None = None
    all: set[str] = field(default_factory=set)
    defined: set[str] = field(default_factory=set)

    def define(self, name: str) -> bool:
        """Adds a name; says whether it is new."""
        if name in self.all:
            return False
        self.all.add(name)
        return True

    def find(self, name: str) -> Scope | None:
        """Returns the innermost scope that defines the name."""
        scope: Scope | None = self
        while scope is not None and name not in scope.all:
            scope = scope.outer
        return scope


@dataclass(frozen=True, slots=True)
class GraphCheck:
    """Checks graphs of one model.

    Attributes:
        findings: Where problems go.
        facts: Where facts go.
        opsets: Version of each domain that the nodes import.
        functions: Domain and name of the model's own functions.
        parameters: Attributes that the function has which the nodes belong to; `None` outside of one.
    """

    findings: Findings
    facts: Facts
    opsets: Mapping[str, int]
    functions: frozenset[tuple[str, str]]
    parameters: frozenset[str] | None = None

    def main(self, graph: Any) -> None:
        """Checks the main graph."""
        if not graph.node:
            self.findings.add("EK104", "the graph has no nodes")
        if not graph.output:
            self.findings.add("EK104", "the graph has no outputs")
        self._graph(graph, None, "", main=True)

    def function(self, function: Any) -> None:
        """Checks the body of a function."""
        self._texts(function)
        scope = Scope()
        for name in function.input:
            self._define(scope, name, "input")
        scope.defined.update(scope.all)
        for info in function.value_info:
            self._problem(check_value(info, Role.INNER))
        for attribute in function.attribute_proto:
            self._problem(check_attribute(attribute, None))
            if attribute.type in (GRAPH, GRAPHS):
                self.findings.add("EK115", f"the function {shown(function.name)} takes a graph as parameter")
        prefix = f"{function.name}/"
        self._nodes(function.node, scope, prefix, 0)
        for name in function.output:
            if name not in scope.all:
                self.findings.add("EK104", f"nothing produces the output {shown(name)} of {shown(prefix)}")

    def _graph(
        self, graph: Any, outer: Scope | None, prefix: str, depth: int = 0, main: bool = False
    ) -> None:
        if depth > MAX_DEPTH:
            raise error("EK107", f"graphs are nested deeper than {MAX_DEPTH} levels")
        self._texts(graph)
        scope = Scope(outer)
        self._declarations(graph, scope, main)
        self._nodes(graph.node, scope, prefix, depth)
        for info in graph.output:
            if info.name in scope.all:
                continue
            where = "" if main else f" of the graph {shown(prefix)}"
            if outer is not None and outer.find(info.name):
                message = f"the output {shown(info.name)}{where} is a value of the graph around it"
                self.findings.add("EK104", message, help="pass it through an `Identity` node")
            else:
                self.findings.add("EK104", f"nothing produces the output {shown(info.name)}{where}")

    def _declarations(self, graph: Any, scope: Scope, main: bool) -> None:
        for info in graph.input:
            self._define(scope, info.name, "input")
            self._value(info, Role.INPUT if main else Role.INNER)
        inputs = set(scope.all)
        declared = {info.name: info for info in (*graph.value_info, *graph.output, *graph.input)}
        constants: set[str] = set()
        for tensor in (*graph.initializer, *(s.values for s in graph.sparse_initializer)):
            name = tensor.name
            if name in constants or (not scope.define(name) and name not in inputs):
                self.findings.add("EK104", f"the initializer {shown(name)} is defined twice")
            constants.add(name)
            self._tensor(tensor)
            if name in declared:
                self._problem(check_constant(tensor, declared[name]))
        for sparse in graph.sparse_initializer:
            self._problem(check_sparse(sparse))
            self.facts.rewrite = True
        for info in graph.output:
            self._value(info, Role.OUTPUT if main else Role.INNER)
        for info in graph.value_info:
            self._value(info, Role.INNER)
        scope.defined.update(scope.all)

    def _nodes(self, nodes: Any, scope: Scope, prefix: str, depth: int) -> None:
        labels = [prefix + _label(node, index) for index, node in enumerate(nodes)]
        for node, label in zip(nodes, labels, strict=True):
            for name in node.output:
                if name:
                    self._define(scope, name, "value", label)
        for node, label in zip(nodes, labels, strict=True):
            self._references(node, scope, label)
            if self._texts(node, label):
                self._op(node, label)
                self._attributes(node, scope, label, depth)
            scope.defined.update(node.output)

    def _references(self, node: Any, scope: Scope, label: str) -> None:
        for name in node.input:
            if not name or name in scope.defined:
                continue
            owner = scope.find(name)
            if owner is None:
                self.findings.add("EK104", f"the value {shown(name)} is used, but nothing produces it", label)
            elif name not in owner.defined:
                self.facts.sorted = False

    def _op(self, node: Any, label: str) -> None:
        if not node.op_type:
            self.findings.add("EK104", "a node has no op type", label)
            return
        if (node.domain, node.op_type) in self.functions:
            return
        domain = "" if node.domain == "ai.onnx" else node.domain
        opset = self.opsets.get(domain)
        if opset is not None:
            for code, message in check_node(node, opset):
                self.findings.add(code, message, label)
        elif domain == "":
            self.findings.add("EK104", "the model does not say which opset its nodes belong to", label)

    def _attributes(self, node: Any, scope: Scope, label: str, depth: int) -> None:
        names = set()
        for attribute in node.attribute:
            if attribute.name in names:
                self.findings.add("EK104", f"the attribute {shown(attribute.name)} is given twice", label)
            names.add(attribute.name)
            if problem := check_attribute(attribute, self.parameters):
                self.findings.add(*problem, label)
                continue
            if attribute.type == SPARSE_TENSOR:
                self._sparse_attribute(node, attribute, label)
            if attribute.HasField("t") and attribute.t.data_location:
                self.facts.external = True
            if attribute.type == GRAPH and not attribute.ref_attr_name:
                self._graph(attribute.g, scope, f"{label}/{attribute.name}/", depth + 1)
            elif attribute.type == GRAPHS:
                for i, graph in enumerate(attribute.graphs):
                    self._graph(graph, scope, f"{label}/{attribute.name}[{i}]/", depth + 1)

    def _sparse_attribute(self, node: Any, attribute: Any, label: str) -> None:
        self.facts.rewrite = True
        if node.op_type != "Constant":
            self.findings.add("EK115", f"the attribute {shown(attribute.name)} is a sparse tensor", label)
        self._problem(check_sparse(attribute.sparse_tensor), label)

    def _tensor(self, tensor: Any) -> None:
        self.facts.external |= bool(tensor.data_location)
        self._problem(check_tensor(tensor))

    def _value(self, info: Any, role: Role) -> None:
        self._problem(check_value(info, role))
        if any(dim.dim_value == -1 for dim in info.type.tensor_type.shape.dim):
            self.facts.rewrite = True

    def _define(self, scope: Scope, name: str, kind: str, node: str | None = None) -> None:
        if not name:
            self.findings.add("EK104", f"one {kind} has no name", node)
        elif not scope.define(name):
            self.findings.add("EK104", f"the {kind} {shown(name)} is defined twice", node)

    def _texts(self, message: Any, node: str | None = None) -> bool:
        """Says whether all texts of a message are valid."""
        valid = True
        for text in broken_texts(message):
            self.findings.add("EK103", f"the text {shown(text)} is not UTF-8", node)
            valid = False
        return valid

    def _problem(self, problem: tuple[str, str] | None, node: str | None = None) -> None:
        if problem is not None:
            self.findings.add(*problem, node)


def _label(node: Any, index: int) -> str:
    name: str | bytes = node.name or f"{node.op_type}_{index}"
    return name if isinstance(name, str) else f"node_{index}"


def names_of(items: Iterable[Any]) -> frozenset[tuple[str, str]]:
    """Returns domain and name of functions."""
    return frozenset((item.domain, item.name) for item in items)
