"""The graph of a checked model: its source nodes, what each target says of them, and their tensors."""

from __future__ import annotations

import re

from edgekit.compat.candidate import Candidate
from edgekit.compat.check import Compatibility, Result
from edgekit.compat.finding import JudgedNode
from edgekit.ir import Origin, origin_of
from edgekit.lowering.ledger import Subgraph, Value
from edgekit.report.model import Graph, GraphNode

MOST_REASONS = 4
"""Reasons told of a node and a target; the table of nodes has all."""


def graph(found: Compatibility) -> Graph:
    """Draws the source nodes; a node is as heavy as its share of the arithmetic of the first result."""
    first = found.results[0]
    nodes = first.view.nodes
    positions = {node.name: i for i, node in enumerate(nodes)}
    verdicts = [{n.name: n for n in r.nodes} for r in found.results]
    weights = _weights(first)
    drawn = tuple(
        GraphNode(
            name=node.name,
            label=node.op,
            group=group_of(node.origin, node.name),
            states=tuple(_state(v.get(node.name)) for v in verdicts),
            weight=weights.get(node.name, 0.0),
            note=_note(found.results, [v.get(node.name) for v in verdicts], node.origin),
        )
        for node in nodes
    )
    edges = _edges(found.candidate, first.view.lowered.main, positions)
    keys = tuple(r.target.id for r in found.results)
    return Graph("graph", "Graph", keys, drawn, edges)


def _state(node: JudgedNode | None) -> str:
    return "unknown" if node is None else str(node.verdict)


def _weights(result: Result) -> dict[str, float]:
    whole = sum(c.macs or c.elements for c in result.costs) or 1
    weights: dict[str, float] = {}
    for op, cost in zip(result.judgement.ops, result.costs, strict=True):
        names = op.emitted.origin.nodes
        for name in names:
            weights[name] = weights.get(name, 0.0) + (cost.macs or cost.elements) / whole / len(names)
    return {name: round(weight, 6) for name, weight in weights.items()}


def _note(results: tuple[Result, ...], nodes: list[JudgedNode | None], origin: Origin) -> str:
    lines = [f"{origin.file}:{origin.line}"] if origin.file is not None else []
    for result, node in zip(results, nodes, strict=True):
        if node is None or not node.reasons:
            continue
        said = list(dict.fromkeys(f"{r.message} ({r.got})" for r in node.reasons))[:MOST_REASONS]
        lines.append(f"{result.target.id}: {'; '.join(said)}")
    return "\n".join(lines)


def group_of(origin: Origin, name: str) -> tuple[str, ...]:
    """Returns the parts that a node lies in: its framework scope, else the path in its name."""
    if origin.scope:
        return tuple(re.split(r"[./]", origin.scope.partition(";")[0]))
    parts = [part for part in name.split("/") if part]
    return tuple(parts[:-1])


def _edges(candidate: Candidate, main: Subgraph, positions: dict[str, int]) -> tuple[tuple[int, int], ...]:
    if candidate.model is None:
        return _ledger_edges(main, positions)
    found: dict[tuple[int, int], None] = {}
    for node in candidate.model.ir.graph:
        own = positions.get((origin_of(node).nodes or (node.name or "",))[0])
        for value in node.inputs:
            maker = value.producer() if value is not None else None
            if maker is None or own is None:
                continue
            other = positions.get((origin_of(maker).nodes or (maker.name or "",))[0])
            if other is not None and other != own:
                found[other, own] = None
    return tuple(found)


def _ledger_edges(main: Subgraph, positions: dict[str, int]) -> tuple[tuple[int, int], ...]:
    makers: dict[Value, int] = {}
    found: dict[tuple[int, int], None] = {}
    for op in main.ops:
        own = positions[op.origin.nodes[0]]
        for value in op.inputs:
            if value in makers and makers[value] != own:
                found[makers[value], own] = None
        makers.update(dict.fromkeys(op.outputs, own))
    return tuple(found)
