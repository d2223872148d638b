"""`Origin`: which nodes of the user's model, and which line of code, something comes from."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

import onnx_ir as ir

ORIGIN_KEY = "edgekit.origin"
"""Key in a node's `metadata_props` under which its origin is kept."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a node, an emitted op or a tensor comes from.

    Attributes:
        nodes: Ids of nodes of the model as imported, in graph order.
        scope: Framework scope (`features.3.conv`) of the first node that has one.
        file: The user's source file, where the framework gives it.
        line: 1-based line in `file`.
    """

    nodes: tuple[str, ...] = ()
    scope: str | None = None
    file: str | None = None
    line: int | None = None

    def __or__(self, other: Origin) -> Origin:
        """Returns the union: all nodes, and the first place that is known."""
        place = self if self.file is not None else other
        return Origin(
            nodes=tuple(dict.fromkeys(self.nodes + other.nodes)),
            scope=self.scope if self.scope is not None else other.scope,
            file=place.file,
            line=place.line,
        )


def origin_of(node: ir.Node) -> Origin:
    """Returns the origin kept in a node, or the empty one.

    Args:
        node: A node of the hub IR.

    Returns:
        The origin written by `set_origin`.
    """
    text = node.metadata_props.get(ORIGIN_KEY)
    if text is None:
        return Origin()
    fields = json.loads(text)
    return Origin(tuple(fields["nodes"]), fields["scope"], fields["file"], fields["line"])


def set_origin(node: ir.Node, origin: Origin) -> None:
    """Keeps an origin in a node, replacing the one there.

    Args:
        node: A node of the hub IR.
        origin: What to keep.
    """
    fields = {"nodes": origin.nodes, "scope": origin.scope, "file": origin.file, "line": origin.line}
    node.metadata_props[ORIGIN_KEY] = json.dumps(fields, separators=(",", ":"))


def inherit(new: ir.Node | Iterable[ir.Node], *sources: ir.Node) -> None:
    """Gives new nodes the union of the origins of the nodes that they stand for.

    Args:
        new: The node or nodes that a pass made.
        sources: The nodes that they replace.
    """
    union = Origin()
    for source in sources:
        union = union | origin_of(source)
    for node in [new] if isinstance(new, ir.Node) else new:
        set_origin(node, union)
