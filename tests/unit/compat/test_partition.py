"""Partitions and what passes between them, against small graphs worked out by hand and a direct count."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from edgekit.compat import JudgedOp, OpVerdict, Placement
from edgekit.compat.flow import Crossings, Flow, coded
from edgekit.compat.partition import partitions
from edgekit.lowering.ledger import Emitted, Value

FAST, SLOW = Placement.ACCELERATED, Placement.FALLBACK


def tensor() -> Value:
    return Value(np.dtype(np.int8), (10,))


def ops(edges: list[list[int]], places: list[Placement]) -> list[JudgedOp]:
    """Makes op i read the results of the ops in `edges[i]`, or an input of the graph."""
    made: list[Value] = []
    found = []
    for i, (reads, place) in enumerate(zip(edges, places, strict=True)):
        inputs = tuple(made[r] for r in reads) or (tensor(),)
        made.append(tensor())
        found.append(JudgedOp(i, Emitted("OP", inputs, (made[-1],)), OpVerdict(place)))
    return found


def test_a_chain_is_cut_where_the_place_changes() -> None:
    chain = ops([[], [0], [1], [2]], [FAST, SLOW, SLOW, FAST])
    assert [(p.placement, p.ops) for p in partitions(chain)] == [(FAST, (0,)), (SLOW, (1, 2)), (FAST, (3,))]
    assert crossings(chain) == Crossings(2, 20)


def test_branches_at_one_place_run_together() -> None:
    fork = ops([[], [0], [0], [1, 2]], [FAST, FAST, SLOW, FAST])
    assert [(p.placement, p.ops) for p in partitions(fork)] == [(FAST, (0, 1)), (SLOW, (2,)), (FAST, (3,))]
    assert crossings(fork).tensors == 2


def test_a_tensor_that_two_ops_of_a_place_read_passes_once() -> None:
    fork = ops([[], [0], [0]], [FAST, SLOW, SLOW])
    assert crossings(fork).tensors == 1
    assert crossings(fork, [FAST, SLOW, FAST]).tensors == 1
    assert crossings(fork, [FAST] * 3).tensors == 0


def crossings(graph: list[JudgedOp], places: list[Placement] | None = None) -> Crossings:
    where = [op.placement for op in graph] if places is None else places
    return Flow.of([op.emitted for op in graph]).crossings(coded(where))


@st.composite
def graphs(draw: st.DrawFn) -> list[JudgedOp]:
    count = draw(st.integers(1, 12))
    edges = [
        draw(st.lists(st.integers(0, i - 1), max_size=3, unique=True)) if i else [] for i in range(count)
    ]
    return ops(edges, [draw(st.sampled_from((FAST, SLOW))) for _ in range(count)])


@given(graphs())
def test_partitions_can_run_one_after_the_other(graph: list[JudgedOp]) -> None:
    found = partitions(graph)
    assert sorted(i for p in found for i in p.ops) == list(range(len(graph)))
    where = {i: n for n, p in enumerate(found) for i in p.ops}
    for part in found:
        assert {graph[i].placement for i in part.ops} == {part.placement}
    makers = {v: op.index for op in graph for v in op.emitted.outputs}
    for op in graph:
        for value in op.emitted.inputs:
            if value in makers:
                assert where[makers[value]] <= where[op.index]


@given(graphs())
def test_crossings_are_pairs_of_tensor_and_place(graph: list[JudgedOp]) -> None:
    makers = {v: op for op in graph for v in op.emitted.outputs}
    pairs = {
        (v, op.placement)
        for op in graph
        for v in op.emitted.inputs
        if v in makers and makers[v].placement is not op.placement
    }
    assert crossings(graph).tensors == len(pairs)
    assert crossings(graph).bytes == 10 * len(pairs)
