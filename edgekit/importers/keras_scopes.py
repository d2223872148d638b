"""Which Keras layer a node of the exported graph comes from."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

import onnx_ir as ir

from edgekit.importers.origins import subgraphs
from edgekit.ir import origin_of, set_origin

# Scopes that TensorFlow adds around functions and loops; they name no layer.
_WRAPPER = re.compile(r"(Stateful)?PartitionedCall(_\d+)?")
_COPY = re.compile(r"__\d+(:\d+)?$")
_COUNTER = re.compile(r"_\d+$")


@dataclass(frozen=True, slots=True)
class Scopes:
    """What is known of the layers behind the names of a graph.

    Attributes:
        exact: TensorFlow name scope to layer path, noted while tracing.
        layers: Names of layers, where only these are known.
    """

    exact: Mapping[str, str] = field(default_factory=dict)
    layers: frozenset[str] = frozenset()

    def of(self, name: str) -> str | None:
        """Returns the layer path for the name of a node or tensor, or `None`."""
        parts = plain_name(name).split("/")
        if self.exact:
            return self._by_scope(parts) or self._by_scope_inside(name)
        if self.layers:  # the names of nested layers alternate with those of ops and wrappers
            return "/".join(filter(None, (self._layer(p) for p in parts))) or None
        return "/".join(parts[:-1]) or _COPY.sub("", parts[0]) or None

    def _by_scope(self, parts: list[str]) -> str | None:
        for end in range(len(parts), 0, -1):
            path = self.exact.get("/".join(parts[:end]))
            if path is not None:
                return path
        return None

    def _by_scope_inside(self, name: str) -> str | None:
        """For nodes of loop bodies: their function's name stands before the scope, joined by `_`."""
        inside = [s for s in self.exact if s and f"_{s}/" in name]
        return self.exact[max(inside, key=len)] if inside else None

    def _layer(self, part: str) -> str | None:
        if part in self.layers:
            return part
        stem = _COUNTER.sub("", part)  # TensorFlow numbers a scope that is entered again
        return stem if stem in self.layers else None


def plain_name(name: str) -> str:
    """Returns the name of a node or tensor without the function calls that TensorFlow inlined."""
    return "/".join(p for p in name.split("/") if not _WRAPPER.fullmatch(p))


def assign(model: ir.Model, scopes: Scopes) -> None:
    """Sets the scope in the origin of every node, in subgraphs too.

    A node whose name says nothing (a transpose between two layers, a folded constant) takes the scope of
    the tensors it writes or reads, else of the node it reads from, else of the node that reads it, else
    of the node that owns its graph, else the name of the model.
    """
    _assign(model.graph, scopes, model.graph.name)


def _assign(graph: ir.Graph, scopes: Scopes, owner: str | None) -> None:
    found = {node: _named(node, scopes) for node in graph}
    for node in graph:
        if found[node] is None:
            found[node] = next((s for s in (found.get(p) for p in _producers(node)) if s), None)
    for node in reversed(list(graph)):
        if found[node] is None:
            found[node] = next((s for s in (found.get(c) for c in _consumers(node)) if s), owner)
    for node, scope in found.items():
        set_origin(node, replace(origin_of(node), scope=scope))
        for _, subgraph in subgraphs(node):
            _assign(subgraph, scopes, scope)


def _named(node: ir.Node, scopes: Scopes) -> str | None:
    tensors = [*node.outputs, *(v for v in node.inputs if v is not None and v.is_initializer())]
    names = [node.name or "", *(v.name or "" for v in tensors)]
    return next((s for s in (scopes.of(n) for n in names) if s), None)


def _producers(node: ir.Node) -> Iterator[ir.Node]:
    for value in node.inputs:
        producer = value.producer() if value is not None else None
        if producer is not None:
            yield producer


def _consumers(node: ir.Node) -> Iterator[ir.Node]:
    for value in node.outputs:
        for use in value.uses():
            yield use.node
