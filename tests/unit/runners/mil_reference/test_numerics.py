"""Products, normalisations, reductions, recurrent layers, attention."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest

from .ops import floats, ints, refused, run

RANDOM = np.random.default_rng(5)


def sigmoid(v: Any) -> Any:
    return 1 / (1 + np.exp(-v))


def test_products() -> None:
    x, w = floats([[1, 2, 3]]), floats([[1, 0, -1], [2, 2, 2]])
    assert run("linear", x=x, weight=w, bias=[10.0, 20.0]).tolist() == [[8, 32]]
    assert run("linear", x=ints([[1, 2]]), weight=ints([[3, 4]])).tolist() == [[11]]
    assert run("linear", 17, x=x.astype(np.float16), weight=w).dtype == np.float16
    assert run("linear", 17, x=x, weight=w.astype(np.int32), bias=ints([1, 2])).tolist() == [[-1, 14]]
    assert "the weight" in refused("linear", 17, x=x.astype(np.int32), weight=w)
    assert "one type" in refused("linear", x=x.astype(np.float16), weight=w)
    a, b = floats([[1, 2], [3, 4]]), floats([[0, 1], [2, 0]])
    assert run("matmul", x=a, y=b).tolist() == [[4, 1], [8, 3]]
    assert run("matmul", x=a, y=b, transpose_x=True).tolist() == [[6, 1], [8, 2]]
    assert run("matmul", x=a, y=b, transpose_y=True).tolist() == [[2, 2], [4, 6]]
    mixed = run("matmul", 17, x=a.astype(np.int32), y=b.astype(np.float16))
    assert (mixed.dtype, mixed.tolist()) == (np.float16, [[4, 1], [8, 3]])
    assert run("matmul", x=floats([1, 2]), y=b, transpose_x=True).tolist() == [4, 1]
    assert run("matmul", x=floats(np.ones((3, 1, 2, 4))), y=floats(np.ones((5, 4, 1)))).shape == (3, 5, 2, 1)


@pytest.mark.parametrize("equation", ["nchw,nwhu->nchu", "abcd, adce -> abce"])
def test_einsum(equation: str) -> None:
    x, y = RANDOM.normal(size=(2, 3, 4, 5)), RANDOM.normal(size=(2, 5, 4, 6))
    wanted = np.zeros((2, 3, 4, 6))
    for n, c, h, w, u in itertools.product(range(2), range(3), range(4), range(5), range(6)):
        wanted[n, c, h, u] += x[n, c, h, w] * y[n, w, h, u]
    np.testing.assert_allclose(
        run("einsum", values=(floats(x), floats(y)), equation=equation), wanted, rtol=1e-4
    )
    assert "equation" in refused("einsum", values=(floats(x), floats(y)), equation="nchw,nhwu->nchu")


def test_a_batch_of_one_is_repeated_in_einsum() -> None:
    x, y = floats([[[1, 2]], [[3, 4]]]), floats([[[1, 2]], [[3, 4]]])
    found = run("einsum", values=(np.repeat(x, 2, 1), y), equation="chw,whr->chr")
    assert found.tolist() == [[[7, 10]] * 2, [[15, 22]] * 2]


def test_normalisation_by_given_statistics() -> None:
    x = floats([[[1, 2], [3, 5]]])
    given = {"mean": [1.0, 3.0], "variance": [3.0, 0.0], "epsilon": 1.0}
    assert run("batch_norm", x=x, **given).tolist() == [[[0, 0.5], [0, 2]]]
    found = run("batch_norm", x=x, gamma=[2.0, 1.0], beta=[1.0, -1.0], **given)
    assert found.tolist() == [[[1, 2], [-1, 1]]]


def test_normalisation_by_own_statistics() -> None:
    x = floats([[[1, 3], [5, 5]]])
    root = math.sqrt(1 + 1e-5)
    np.testing.assert_allclose(run("instance_norm", x=x), [[[-1 / root, 1 / root], [0, 0]]], rtol=1e-6)
    found = run("layer_norm", x=x, axes=[-1], gamma=[2.0, 3.0], beta=[1.0, 0.0], epsilon=0.0)[0, 0]
    np.testing.assert_allclose(found, [-1, 3], rtol=1e-6)
    # `gamma` has the sizes of the axes in the order in which they are named.
    gamma = floats([[1, 2], [3, 4]])
    found = run("layer_norm", x=x, axes=[2, 1], gamma=gamma)
    plain = run("layer_norm", x=x, axes=[1, 2])
    np.testing.assert_allclose(found, plain * gamma.T, rtol=1e-6)
    assert "gamma" in refused("layer_norm", x=x, axes=[1], gamma=[1.0])
    x = floats(np.arange(1, 5).reshape(1, 2, 2))
    np.testing.assert_allclose(run("l2_norm", x=x), x / math.sqrt(30 + 1e-6), rtol=1e-6)


def test_normalisation_by_neighbours() -> None:
    x = floats([[[1], [2], [3], [4]]])
    found = run("local_response_norm", x=x, size=3, alpha=3.0, beta=1.0, k=1.0)
    np.testing.assert_allclose(found[0, :, 0], [1 / 6, 2 / 15, 3 / 30, 4 / 26], rtol=1e-6)
    assert "not specified" in refused("local_response_norm", x=x, size=2)


REDUCTIONS: dict[str, list[float]] = {
    "reduce_l1_norm": [7, 3],
    "reduce_l2_norm": [5, math.sqrt(5)],
    "reduce_log_sum": [math.log(7), math.log(3)],
    "reduce_log_sum_exp": [math.log(math.exp(3) + math.exp(4)), math.log(math.e + math.exp(2))],
    "reduce_max": [4, 2],
    "reduce_mean": [3.5, 1.5],
    "reduce_min": [3, 1],
    "reduce_prod": [12, 2],
    "reduce_sum": [7, 3],
    "reduce_sum_square": [25, 5],
}


@pytest.mark.parametrize("op", REDUCTIONS)
def test_reductions(op: str) -> None:
    x = floats([[3, 4], [1, 2]])
    np.testing.assert_allclose(run(op, x=x, axes=[-1]), REDUCTIONS[op], rtol=1e-6)
    assert run(op, x=x, axes=[0], keep_dims=True).shape == (1, 2)
    assert run(op, x=x).shape == ()


def test_reductions_to_indices() -> None:
    x = ints([[3, 9, 9], [1, 0, 2]])
    assert run("reduce_argmax", x=x).tolist() == [1, 2]
    assert run("reduce_argmin", x=x, axis=0, keep_dims=True).tolist() == [[1, 1, 1]]
    assert run("reduce_argmax", 17, x=x, output_dtype="uint16").dtype == np.uint16
    assert "no parameter" in refused("reduce_argmax", 16, x=x, output_dtype="uint16")


def test_large_exponents_do_not_overflow() -> None:
    np.testing.assert_allclose(
        run("reduce_log_sum_exp", x=floats([1000, 1000])), 1000 + math.log(2), rtol=1e-6
    )
    assert run("reduce_log_sum_exp", x=floats([-np.inf, -np.inf])) == -np.inf


def states(size: int) -> dict[str, np.ndarray]:
    return {"x": floats(RANDOM.normal(size=(3, 2, 4))), "initial_h": floats(RANDOM.normal(size=(2, size)))}


def weights(gates: int, size: int) -> dict[str, np.ndarray]:
    shapes = {"weight_ih": (gates * size, 4), "weight_hh": (gates * size, size), "bias": (gates * size,)}
    return {name: floats(RANDOM.normal(size=shape)) for name, shape in shapes.items()}


def one_rnn(given: dict[str, np.ndarray], order: list[int]) -> list[np.ndarray]:
    h, found = given["initial_h"], []
    for t in order:
        h = np.tanh(given["x"][t] @ given["weight_ih"].T + given["bias"] + h @ given["weight_hh"].T)
        found.append(h)
    return found


def test_rnn() -> None:
    given = states(3) | weights(1, 3)
    every, last = run("rnn", **given, output_sequence=True)
    wanted = one_rnn(given, [0, 1, 2])
    np.testing.assert_allclose(every, wanted, rtol=1e-4)
    np.testing.assert_array_equal(every[-1], last)
    every, last = run("rnn", **given, output_sequence=True, direction="reverse")
    np.testing.assert_allclose(every, one_rnn(given, [2, 1, 0]), rtol=1e-4)
    only, last = run("rnn", **given)
    np.testing.assert_allclose(only, wanted[-1:], rtol=1e-4)
    assert "activation" in refused("rnn", **given, activation="softsign")


@pytest.mark.parametrize("after", [False, True])
def test_gru(after: bool) -> None:
    given = states(3) | weights(3, 3)
    h = given["initial_h"]
    w_r, w_o, w_z = np.split(given["weight_ih"], 3)
    u_r, u_o, u_z = np.split(given["weight_hh"], 3)
    b_r, b_o, b_z = np.split(given["bias"], 3)
    for x in given["x"]:
        r, z = (
            sigmoid(w_r @ x.T + u_r @ h.T + b_r[:, None]).T,
            sigmoid(w_z @ x.T + u_z @ h.T + b_z[:, None]).T,
        )
        state = r * (h @ u_o.T + b_o) if after else (r * h) @ u_o.T + b_o
        h = (1 - z) * np.tanh(x @ w_o.T + state) + z * h
    _, last = run("gru", 18, **given, reset_after=after)
    np.testing.assert_allclose(last, h, rtol=1e-4)
    if not after:
        np.testing.assert_array_equal(run("gru", **given)[1], last)


def one_lstm(given: dict[str, Any], order: list[int], peephole: Any = None) -> tuple[list[Any], Any]:
    h, c, found = given["initial_h"], given["initial_c"], []
    p_i, p_f, p_o = np.split(np.zeros(3 * h.shape[1]) if peephole is None else peephole, 3)
    for t in order:
        sums = given["x"][t] @ given["weight_ih"].T + h @ given["weight_hh"].T + given["bias"]
        i, f, o, z = np.split(sums, 4, -1)
        c = sigmoid(f + p_f * c) * c + sigmoid(i + p_i * c) * np.tanh(z)
        h = sigmoid(o + p_o * c) * np.tanh(c)
        found.append(h)
    return found, c


def test_lstm() -> None:
    given = states(3) | weights(4, 3) | {"initial_c": floats(RANDOM.normal(size=(2, 3)))}
    wanted, cell = one_lstm(given, [0, 1, 2])
    every, last, state = run("lstm", **given, output_sequence=True)
    np.testing.assert_allclose(every, wanted, rtol=1e-4)
    np.testing.assert_allclose(last, wanted[-1], rtol=1e-4)
    np.testing.assert_allclose(state, cell, rtol=1e-4)
    peephole = floats(RANDOM.normal(size=9))
    every, *_ = run("lstm", **given, peephole=peephole, direction="reverse", output_sequence=True)
    np.testing.assert_allclose(every, one_lstm(given, [2, 1, 0], peephole)[0], rtol=1e-4)
    one_step = given | {"x": given["x"][:1]}
    sums = one_step["x"][0] @ given["weight_ih"].T + given["initial_h"] @ given["weight_hh"].T + given["bias"]
    cell = np.clip(one_lstm(one_step, [0])[1], -0.1, 0.1)
    _, last, state = run("lstm", **one_step, clip=0.1)
    np.testing.assert_allclose(state, cell, rtol=1e-4)
    np.testing.assert_allclose(last, sigmoid(np.split(sums, 4, -1)[2]) * np.tanh(cell), rtol=1e-4)


def test_lstm_in_both_directions() -> None:
    ahead = states(3) | weights(4, 3) | {"initial_c": floats(RANDOM.normal(size=(2, 3)))}
    back = weights(4, 3) | {name: floats(RANDOM.normal(size=(2, 3))) for name in ("initial_h", "initial_c")}
    forward, c_1 = one_lstm(ahead, [0, 1, 2])
    backward, c_2 = one_lstm(back | {"x": ahead["x"]}, [2, 1, 0])
    both = {n: np.concatenate([ahead[n], back[n]], -1) for n in ("initial_h", "initial_c")}
    second = {f"{n}_back": back[n] for n in ("weight_ih", "weight_hh", "bias")}
    given = ahead | both | second | {"direction": "bidirectional"}
    every, last, cell = run("lstm", **given, output_sequence=True)
    np.testing.assert_allclose(every, np.concatenate([forward, backward[::-1]], -1), rtol=1e-4)
    np.testing.assert_allclose(last, np.concatenate([forward[-1], backward[-1]], -1), rtol=1e-4)
    np.testing.assert_allclose(cell, np.concatenate([c_1, c_2], -1), rtol=1e-4)


def test_attention() -> None:
    q, k, v = (floats(RANDOM.normal(size=(1, n, w))) for n, w in ((2, 4), (3, 4), (3, 5)))
    scores = q[0] @ k[0].T / 2
    powers = np.exp(scores)
    wanted = powers / powers.sum(1, keepdims=True) @ v[0]
    np.testing.assert_allclose(
        run("scaled_dot_product_attention", 18, query=q, key=k, value=v)[0], wanted, rtol=1e-4
    )
    mask = np.array([[True, False, False], [False, True, False]])
    found = run("scaled_dot_product_attention", 18, query=q, key=k, value=v, attn_mask=mask)
    np.testing.assert_allclose(found[0], v[0, :2], rtol=1e-6)
    added = np.where(mask, 0, -1e9).astype(np.float32)
    np.testing.assert_allclose(
        run("scaled_dot_product_attention", 18, query=q, key=k, value=v, attn_mask=added)[0],
        v[0, :2],
        rtol=1e-6,
    )
