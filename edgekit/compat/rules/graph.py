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


_UNDECIDED = "behind an op of unknown placement"


@graph_rule("one-subgraph")
def one_subgraph(graph: Placing) -> Mapping[int, Finding]:
    """behind the first op that leaves the accelerator everything stays on the CPU: one subgraph is compiled

    Ops on the CPU that come before all accelerated ones, such as the quantisation of an input, leave nothing.
    What lies behind an op whose placement is not known is not known either.
    """
    begun: list[bool] = []  # whether an op is accelerated, or behind one that is
    cut: list[str | None] = []  # why nothing behind an op is accelerated
    found: dict[int, Finding] = {}
    for index, placement in enumerate(graph.placements):
        before = graph.predecessors[index]
        inside = any(begun[i] for i in before)
        reasons = sorted({cut[i] or "" for i in before} - {""}, key=lambda r: r == _UNDECIDED)
        reason = reasons[0] if reasons else None
        if placement is Placement.ACCELERATED and reason is not None:
            undecided = Finding(Outcome.UNKNOWN, reason)
            found[index] = undecided if reason == _UNDECIDED else fails(reason)
        elif inside and placement in _AWAY:
            reason = f"behind `{graph.facts[index].name}`"
        elif inside and placement is Placement.UNKNOWN:
            reason = reason or _UNDECIDED
        begun.append(inside or placement is Placement.ACCELERATED)
        cut.append(reason)
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
