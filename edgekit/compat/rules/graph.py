"""Rules on the placement of a whole graph: each maps positions of ops to findings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING

from edgekit.compat.finding import Finding, Placement, Taken, fails
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


_BLOCKED = ("CONV_2D", "DEPTHWISE_CONV_2D")


@graph_rule("dilation-by-blocks")
def dilation_by_blocks(graph: Placing) -> Mapping[int, Taken]:
    """the ops SPACE_TO_BATCH_ND and BATCH_TO_SPACE_ND around a convolution that is taken become its dilation

    The convolution must have stride 1 and no fused activation, and nothing else may read what goes in or out.
    """
    readers = Counter(v for op in graph.facts for v in op.emitted.inputs if v is not None)
    found: dict[int, Taken] = {}
    for last, op in enumerate(graph.facts):
        if op.name != "BATCH_TO_SPACE_ND" or len(graph.predecessors[last]) != 1:
            continue
        (middle,) = graph.predecessors[last]
        conv, before = graph.facts[middle], graph.predecessors[middle]
        plain = conv.name in _BLOCKED and conv.stride == (1, 1) and conv.activation == "NONE"
        if not plain or len(before) != 1 or graph.placements[middle] is not Placement.ACCELERATED:
            continue
        (first,) = before
        lone = all(readers[v] == 1 for i in (first, middle) for v in graph.facts[i].ofms)
        if lone and graph.facts[first].name == "SPACE_TO_BATCH_ND":
            found |= {first: Taken(conv.name), last: Taken(conv.name)}
    return found
