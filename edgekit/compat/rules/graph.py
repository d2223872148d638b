"""Rules on the placement of a whole graph: each maps positions of ops to findings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from edgekit.compat.finding import Finding, Placement, fails
from edgekit.compat.rules.registry import graph_rule
from edgekit.target import Outcome

if TYPE_CHECKING:
    from edgekit.compat.placement import Placing

_AWAY = (Placement.FALLBACK, Placement.UNSUPPORTED)


@graph_rule("one-subgraph")
def one_subgraph(graph: Placing) -> Mapping[int, Finding]:
    """all ops that depend on an op on the CPU stay on the CPU: only one subgraph is compiled

    An op behind one whose placement is not known is not known either.
    """
    state: list[str | None] = []
    found: dict[int, Finding] = {}
    for index, placement in enumerate(graph.placements):
        before = [state[i] for i in graph.predecessors[index] if state[i] is not None]
        if placement in _AWAY:
            state.append(f"behind `{graph.facts[index].name}`")
        elif before:
            state.append(before[0])
        else:
            state.append("unknown" if placement is Placement.UNKNOWN else None)
        if placement is Placement.ACCELERATED and before:
            certain = [b for b in before if b != "unknown"]
            found[index] = (
                fails(certain[0])
                if certain
                else Finding(Outcome.UNKNOWN, "behind an op of unknown placement")
            )
    return found


@graph_rule("batch-one")
def batch_one(graph: Placing) -> Mapping[int, Finding]:
    """the batch of every tensor must be 1"""
    found: dict[int, Finding] = {}
    for index, op in enumerate(graph.facts):
        sizes = {v.shape[0] for v in op.ofms if v.rank == 4 and v.shape[0] != 1}
        if sizes:
            found[index] = fails(f"batch {', '.join('?' if s is None else str(s) for s in sizes)}")
    return found
