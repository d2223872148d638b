"""Memory plans: disjoint while alive, never below the bound, exact where the best plan is known."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from edgekit.compat.memory import MemoryPlan, plan
from edgekit.lowering.ledger import Emitted, Subgraph, Value


def tensor(size: int) -> Value:
    return Value(np.dtype(np.int8), (size,))


def chain(*sizes: int) -> Subgraph:
    values = [tensor(s) for s in sizes]
    ops = [Emitted("CONV_2D", (a,), (b,)) for a, b in itertools.pairwise(values)]
    return Subgraph("main", (values[0],), (values[-1],), tuple(ops), {})


def check(found: MemoryPlan) -> None:
    assert found.arena >= found.lower_bound
    for i, a in enumerate(found.buffers):
        assert a.offset >= 0
        assert a.offset + a.size <= found.arena
        for b in found.buffers[:i]:
            apart = a.offset + a.size <= b.offset or b.offset + b.size <= a.offset
            assert apart or a.last < b.first or b.last < a.first or not a.size or not b.size


def test_a_chain_needs_its_largest_neighbours() -> None:
    found = plan(chain(64, 256, 128, 512, 16), "tflite")
    assert found.lower_bound == 128 + 512
    assert found.arena == 640
    assert found.peak == 2


def test_outputs_live_to_the_end_and_views_take_nothing() -> None:
    a, b, c = tensor(100), tensor(100), tensor(32)
    ops = (Emitted("RESHAPE", (a,), (b,)), Emitted("CONV_2D", (b,), (c,)))
    found = plan(Subgraph("main", (a,), (b, c), ops, {}), "tflite")
    assert found.arena == found.lower_bound == 112 + 32


def test_constants_count_once_and_not_in_the_arena() -> None:
    a, b, c = tensor(16), tensor(16), tensor(16)
    w = Value(np.dtype(np.float32), (5,), np.zeros(5, np.float32))
    ops = (Emitted("ADD", (a, w), (b,)), Emitted("ADD", (b, w), (c,)))
    found = plan(Subgraph("main", (a,), (c,), ops, {}), "tflite")
    assert found.parameters == 20
    assert found.arena == 32
    assert found.in_place == 2


def test_a_nested_graph_lives_while_its_op_runs() -> None:
    a, b, c = tensor(16), tensor(16), tensor(16)
    ops = (Emitted("WHILE", (a,), (b,), {"body": chain(16, 64, 16)}), Emitted("CONV_2D", (b,), (c,)))
    assert plan(Subgraph("main", (a,), (c,), ops, {}), "tflite").arena == 16 + 16 + 80


def test_unknown_sizes_are_counted_not_guessed() -> None:
    a, b = Value(np.dtype(np.int8), (4, None)), tensor(16)
    found = plan(Subgraph("main", (a,), (b,), (Emitted("CONV_2D", (a,), (b,)),), {}), "tflite")
    assert found.unknown == 1
    assert found.arena == 16


@st.composite
def graphs(draw: st.DrawFn) -> Subgraph:
    values = [tensor(draw(st.integers(0, 300))) for _ in range(draw(st.integers(1, 3)))]
    inputs, ops = tuple(values), []
    for _ in range(draw(st.integers(1, 12))):
        operands = draw(st.lists(st.sampled_from(values), min_size=1, max_size=3))
        made = tensor(draw(st.integers(0, 300)))
        ops.append(Emitted(draw(st.sampled_from(("CONV_2D", "ADD", "RESHAPE"))), tuple(operands), (made,)))
        values.append(made)
    outputs = draw(st.lists(st.sampled_from(values), min_size=1, max_size=2, unique_by=id))
    return Subgraph("main", inputs, tuple(outputs), tuple(ops), {})


@settings(deadline=None)
@given(graphs())
def test_plans_are_sound(graph: Subgraph) -> None:
    found = plan(graph, "tflite")
    check(found)
    # The bound, directly: the bytes of all buffers that are alive at an op.
    alive = [
        sum(b.size for b in found.buffers if b.first <= i <= b.last) for i in range(-1, len(graph.ops) + 1)
    ]
    assert found.lower_bound == max(alive)
