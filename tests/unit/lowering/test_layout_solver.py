"""The choice of layout is the best one, and the arranged graph computes the same."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from edgekit.lowering.ledger import Lowered, Subgraph, TensorMap, Value
from edgekit.lowering.tflite.builder import TFLiteBuilder
from edgekit.lowering.tflite.emit import Signature, emit
from edgekit.lowering.tflite.fuse import fuse
from edgekit.lowering.tflite.layout import arrange
from edgekit.lowering.tflite.layout.mincut import MinCut
from edgekit.lowering.tflite.layout.network import build, load_lemmas
from edgekit.lowering.tflite.layout.solve import cost, solve

TO_NHWC, TO_NCHW = (0, 2, 3, 1), (0, 3, 1, 2)
KINDS = ("conv", "relu", "add", "concat", "mean", "transpose", "scale", "shuffle")
CONV = {
    "padding": "SAME", "stride_h": 1, "stride_w": 1, "dilation_h_factor": 1, "dilation_w_factor": 1,
    "fused_activation_function": "NONE",
}  # fmt: skip


def conv(b: TFLiteBuilder, x: Value, channels: int) -> Value:
    """A convolution as the lowering emits it: NCHW outside, NHWC inside."""
    rng = np.random.default_rng(channels)
    weights = b.const(rng.normal(size=(channels, 3, 3, x.shape[1])).astype(np.float32) / 5)
    bias = b.const(np.zeros(channels, np.float32))
    return b.transpose(b.op("CONV_2D", [b.transpose(x, TO_NHWC), weights, bias], CONV), TO_NCHW)


def dense(b: TFLiteBuilder, x: Value, units: int) -> Value:
    flat = b.reshape(x, (x.shape[0], math.prod(d or 1 for d in x.shape[1:])))
    rng = np.random.default_rng(units)
    weights = b.const(rng.normal(size=(units, flat.shape[1])).astype(np.float32) / 9)
    attrs = {"fused_activation_function": "NONE", "keep_num_dims": False}
    return b.op("FULLY_CONNECTED", [flat, weights, None], attrs, dtype=np.float32, shape=(x.shape[0], units))


@st.composite
def graphs(draw: Any, size: int) -> tuple[TFLiteBuilder, Subgraph]:
    """Random networks of convolutions, elementwise ops, joins, reductions and user transposes."""
    b = TFLiteBuilder()
    dims = st.sampled_from([2, 3, 4])
    x = b.value(np.float32, (draw(st.sampled_from([1, 2])), draw(dims), draw(dims), draw(dims)))
    live = [x]
    for _ in range(draw(st.integers(2, size))):
        v = draw(st.sampled_from(live))
        kind = draw(
            st.sampled_from(
                ["conv", "relu", "add", "concat", "mean", "transpose", "scale", "conv", "shuffle"]
            )
        )
        if kind == "conv":
            v = conv(b, v, draw(dims))
        elif kind == "relu":
            v = b.unary("RELU", v)
        elif kind == "scale":
            v = b.binary(
                "MUL", v, b.const(np.linspace(1, 2, v.shape[1] or 1).astype(np.float32).reshape(-1, 1, 1))
            )
        elif kind == "add":
            same = [w for w in live if w.shape == v.shape]
            v = b.binary("ADD", v, draw(st.sampled_from(same)))
        elif kind == "concat":
            axis = draw(st.integers(0, 3))
            fits = [
                w
                for w in live
                if all(a == c for i, (a, c) in enumerate(zip(v.shape, w.shape, strict=True)) if i != axis)
            ]
            v = b.concat([v, draw(st.sampled_from(fits))], axis)
        elif kind == "mean":
            v = b.op("MEAN", [v, b.ints([2, 3])], {"keep_dims": True})
        elif kind == "transpose":
            v = b.transpose(v, draw(st.permutations(range(4))))
        elif kind == "shuffle" and (v.shape[1] or 1) % 2 == 0:
            n, c, h, w = v.shape
            split = b.reshape(v, (n, 2, (c or 2) // 2, h, w))
            v = b.reshape(b.transpose(split, (0, 2, 1, 3, 4)), (n, c, h, w))
        live.append(v)
    outputs = [live[-1]] if draw(st.booleans()) else [dense(b, live[-1], 3), live[-1]]
    assume(b.ops and all(v is not x for v in outputs))
    return b, b.finish("g", [x], outputs)


def execute(graph: Subgraph, data: np.ndarray) -> list[np.ndarray]:
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    _, payload = emit(graph, Signature(("x",), tuple(f"y{i}" for i in range(len(graph.outputs)))))
    interpreter = Interpreter(
        model_content=payload, experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    )
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], data)
    interpreter.invoke()
    return [interpreter.get_tensor(d["index"]) for d in interpreter.get_output_details()]


@settings(max_examples=60, deadline=None, derandomize=True)
@given(graphs(size=5))
def test_choice_is_the_best_of_all(built: tuple[TFLiteBuilder, Subgraph]) -> None:
    load_lemmas()
    network = build(built[1], {})
    assume(math.prod(len(n.forms) for n in network.nodes) <= 2000)
    choice = solve(network)
    roots = list(network.roots)
    found = cost(network, choice.form, roots)
    options = itertools.product(*(range(len(n.forms)) for n in network.nodes))
    best = min(cost(network, dict(zip(network.nodes, o, strict=True)), roots) for o in options)
    assert found >= best
    if choice.proved:
        assert found == best


@settings(max_examples=60, deadline=None, derandomize=True)
@given(graphs(size=8), st.sampled_from(["source", "nhwc"]))
def test_arranged_graph_computes_the_same(built: tuple[TFLiteBuilder, Subgraph], io_layout: str) -> None:
    _, graph = built
    outputs = tuple(TensorMap(v) for v in graph.outputs)
    lowered = Lowered("tflite", graph, tuple(TensorMap(v) for v in graph.inputs), outputs)
    arranged = arrange(lowered, io_layout)
    data = np.random.default_rng(1).normal(size=graph.inputs[0].shape).astype(np.float32)
    expected = execute(graph, data)
    perm = arranged.inputs[0].perm
    got = execute(fuse(arranged.main), data if perm is None else np.ascontiguousarray(data.transpose(perm)))
    for want, have, where in zip(expected, got, arranged.outputs, strict=True):
        moved = want if where.perm is None else want.transpose(where.perm)
        np.testing.assert_allclose(have, moved, rtol=1e-4, atol=1e-5)
    if io_layout == "source":  # another public layout may need more
        before = sum(op.op == "TRANSPOSE" for op in graph.ops)
        assert sum(op.op == "TRANSPOSE" for op in arranged.main.ops) <= before


def transposes(graph: Subgraph, io_layout: str = "source") -> tuple[int, str]:
    ports = (tuple(TensorMap(v) for v in graph.inputs), tuple(TensorMap(v) for v in graph.outputs))
    arranged = arrange(Lowered("tflite", graph, *ports), io_layout)
    return sum(op.op == "TRANSPOSE" for op in arranged.main.ops), arranged.certificate


def classic() -> tuple[TFLiteBuilder, Subgraph]:
    """A plain CNN: convolutions with a residual, a channel concatenation, flatten and dense."""
    b = TFLiteBuilder()
    x = b.value(np.float32, (1, 3, 4, 6))
    stem = b.unary("RELU", conv(b, x, 4))
    body = b.binary("ADD", conv(b, b.unary("RELU", conv(b, stem, 4)), 4), stem)
    joined = b.concat([body, conv(b, body, 2)], 1)
    return b, b.finish("g", [x], [dense(b, joined, 5)])


def test_classic_network_keeps_only_the_transpose_of_its_input() -> None:
    count, certificate = transposes(classic()[1])
    assert count == 1
    assert certificate.startswith("1 transpose (288 bytes), proved minimum; 0 with `--io-layout nhwc`")
    assert "input" in certificate


def test_classic_network_in_nhwc_has_no_transpose() -> None:
    assert transposes(classic()[1], "nhwc") == (0, "0 transposes, the minimum")


def test_unknown_batch_is_no_obstacle() -> None:
    b = TFLiteBuilder()
    x = b.value(np.float32, (None, 3, 4, 6))
    y = b.op("MEAN", [conv(b, b.unary("RELU", conv(b, x, 4)), 4), b.ints([2, 3])], {"keep_dims": False})
    assert transposes(b.finish("g", [x], [y]))[0] == 1


def test_deep_network_is_solved_quickly() -> None:
    b = TFLiteBuilder()
    x = b.value(np.float32, (1, 4, 4, 4))
    y = x
    for _ in range(300):
        y = b.binary("ADD", b.unary("RELU", conv(b, y, 4)), y)
    network_graph = b.finish("g", [x], [y])
    count, certificate = transposes(network_graph)
    assert count == 2
    assert "proved minimum" in certificate


@pytest.mark.parametrize("seed", range(30))
def test_minimum_cut_matches_brute_force(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 7))
    one, zero, pair = (rng.integers(0, 9, size) for size in (n, n, (n, n)))
    cut = MinCut()
    xs = [cut.variable() for _ in range(n)]
    for i in range(n):
        cut.cost_if_one(xs[i], int(one[i]))
        cut.cost_if_zero(xs[i], int(zero[i]))
        for j in range(n):
            if i != j:
                cut.cost_if_zero_one(xs[i], xs[j], int(pair[i, j]))

    def price(bits: tuple[int, ...]) -> int:
        total = sum(int(one[i] if bits[i] else zero[i]) for i in range(n))
        pairs = itertools.permutations(range(n), 2)
        return total + sum(int(pair[i, j]) for i, j in pairs if not bits[i] and bits[j])

    values = cut.solve()
    assert price(tuple(values[x] for x in xs)) == min(map(price, itertools.product((0, 1), repeat=n)))
