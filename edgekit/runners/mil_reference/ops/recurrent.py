"""Recurrent layers. A layer that runs in reverse gives its results in the order in which it makes them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from edgekit.runners.mil_reference.ops.activation import sigmoid
from edgekit.runners.mil_reference.refusal import Refusal, require
from edgekit.runners.mil_reference.table import Real, evaluates
from edgekit.runners.mil_reference.types import Array

_ACTIVATIONS: dict[str, Callable[[Array], Any]] = {
    "linear": lambda x: x,
    "relu": lambda x: np.maximum(x, 0),
    "scaled_tanh": np.tanh,  # its two scales are 1
    "sigmoid": sigmoid,
    "hard_sigmoid": lambda x: np.clip(np.float32(0.2) * x + np.float32(0.5), 0, 1),
    "sigmoid_hard": lambda x: np.clip(np.float32(0.2) * x + np.float32(0.5), 0, 1),
    "tanh": np.tanh,
}


def _activation(name: str) -> Callable[[Array], Any]:
    if name not in _ACTIVATIONS:
        raise Refusal(f"the activation is `{name}`")
    return _ACTIVATIONS[name]


def _steps(x: Array, direction: str) -> Array:
    require(x.ndim == 3, f"x has the rank {x.ndim}")
    require(direction in ("forward", "reverse"), f"`direction` is `{direction}`")
    return x if direction == "forward" else x[::-1]


def _check(name: str, found: Array | None, wanted: tuple[int, ...]) -> None:
    require(found is None or found.shape == wanted, f"`{name}` is not {list(wanted)}")


def _gates(weight: Array, bias: Array | None, parts: int) -> tuple[list[Array], list[Array]]:
    biases = np.zeros(weight.shape[0], np.float32) if bias is None else bias
    return np.split(weight, parts), np.split(biases, parts)


@evaluates("rnn")
def rnn(
    x: Real,
    initial_h: Real,
    weight_ih: Real,
    weight_hh: Real,
    bias: Array | None = None,
    direction: str = "forward",
    output_sequence: bool = False,
    activation: str = "tanh",
) -> tuple[Array, Array]:
    """Feeds the state back."""
    act, h, size = _activation(activation), initial_h, initial_h.shape[-1]
    _check("weight_ih", weight_ih, (size, x.shape[-1]))
    _check("weight_hh", weight_hh, (size, size))
    _check("bias", bias, (size,))
    outputs = []
    for step in _steps(x, direction):
        h = np.asarray(act(step @ weight_ih.T + h @ weight_hh.T + (0 if bias is None else bias)))
        outputs.append(h)
    return np.stack(outputs if output_sequence else outputs[-1:]), h


@evaluates("gru")
def gru_15(
    x: Real,
    initial_h: Real,
    weight_ih: Real,
    weight_hh: Real,
    bias: Array | None = None,
    direction: str = "forward",
    output_sequence: bool = False,
    recurrent_activation: str = "sigmoid",
    activation: str = "tanh",
) -> tuple[Array, Array]:
    """Gates the state; the reset gate acts before the product with the weights."""
    return gru_18(
        x, initial_h, weight_ih, weight_hh, bias, direction, output_sequence, recurrent_activation, activation
    )


@evaluates("gru", since=18)
def gru_18(
    x: Real,
    initial_h: Real,
    weight_ih: Real,
    weight_hh: Real,
    bias: Array | None = None,
    direction: str = "forward",
    output_sequence: bool = False,
    recurrent_activation: str = "sigmoid",
    activation: str = "tanh",
    reset_after: bool = False,
    input_bias: Array | None = None,
) -> tuple[Array, Array]:
    """Gates the state; the gates of the weights are reset, output, update.

    `bias` belongs to the state, `input_bias` to the input; only where the reset gate acts after the
    product does it matter to which.
    """
    inner, act, h, size = (
        _activation(recurrent_activation),
        _activation(activation),
        initial_h,
        initial_h.shape[-1],
    )
    _check("weight_ih", weight_ih, (3 * size, x.shape[-1]))
    _check("weight_hh", weight_hh, (3 * size, size))
    _check("bias", bias, (3 * size,))
    _check("input_bias", input_bias, (3 * size,))
    (w_r, w_o, w_z), (c_r, c_o, c_z) = _gates(weight_ih, input_bias, 3)
    (u_r, u_o, u_z), (b_r, b_o, b_z) = _gates(weight_hh, bias, 3)
    outputs = []
    for step in _steps(x, direction):
        reset = inner(step @ w_r.T + h @ u_r.T + b_r + c_r)
        update = inner(step @ w_z.T + h @ u_z.T + b_z + c_z)
        state = reset * (h @ u_o.T + b_o) if reset_after else (reset * h) @ u_o.T + b_o
        new = act(step @ w_o.T + c_o + state)
        h = np.asarray((1 - update) * new + update * h)
        outputs.append(h)
    return np.stack(outputs if output_sequence else outputs[-1:]), h


@evaluates("lstm")
def lstm(
    x: Real,
    initial_h: Real,
    initial_c: Real,
    weight_ih: Real,
    weight_hh: Real,
    bias: Array | None = None,
    peephole: Array | None = None,
    weight_ih_back: Array | None = None,
    weight_hh_back: Array | None = None,
    bias_back: Array | None = None,
    peephole_back: Array | None = None,
    direction: str = "forward",
    output_sequence: bool = False,
    recurrent_activation: str = "sigmoid",
    cell_activation: str = "tanh",
    activation: str = "tanh",
    clip: float | None = None,
) -> tuple[Array, Array, Array]:
    """Gates a cell; the gates of the weights are input, forget, output, cell.

    `clip` bounds the cell after each step. In both directions the results are in the order of the input,
    those of each step side by side.
    """
    acts = tuple(map(_activation, (recurrent_activation, cell_activation, activation)))
    if direction != "bidirectional":
        steps = _steps(x, direction)
        h, c = _lstm(steps, initial_h, initial_c, weight_ih, weight_hh, bias, peephole, acts, clip)
        return h if output_sequence else h[-1:], h[-1], c
    if weight_ih_back is None or weight_hh_back is None:
        raise Refusal("the weights of the second direction are missing")
    require(
        initial_h.shape[-1] % 2 == 0 and initial_h.shape == initial_c.shape,
        "the states are not for two directions",
    )
    (h_1, h_2), (c_1, c_2) = np.split(initial_h, 2, -1), np.split(initial_c, 2, -1)
    ahead, c_a = _lstm(_steps(x, "forward"), h_1, c_1, weight_ih, weight_hh, bias, peephole, acts, clip)
    back, c_b = _lstm(
        _steps(x, "reverse"), h_2, c_2, weight_ih_back, weight_hh_back, bias_back, peephole_back, acts, clip
    )
    final = np.concatenate([ahead[-1], back[-1]], -1)
    every = np.concatenate([ahead, back[::-1]], -1) if output_sequence else final[None]
    return every, final, np.concatenate([c_a, c_b], -1)


def _lstm(
    steps: Array,
    h: Array,
    c: Array,
    weight_ih: Array,
    weight_hh: Array,
    bias: Array | None,
    peephole: Array | None,
    acts: tuple[Callable[[Array], Any], ...],
    clip: float | None,
) -> tuple[Array, Array]:
    """Runs one direction; gives every state and the last cell."""
    size = h.shape[-1]
    _check("weight_ih", weight_ih, (4 * size, steps.shape[-1]))
    _check("weight_hh", weight_hh, (4 * size, size))
    _check("bias", bias, (4 * size,))
    _check("peephole", peephole, (3 * size,))
    gate, cell, out = acts
    p_i, p_f, p_o = np.split(np.zeros(3 * size, np.float32) if peephole is None else peephole, 3)
    outputs = []
    for step in steps:
        sums = step @ weight_ih.T + h @ weight_hh.T + (0 if bias is None else bias)
        i, f, o, z = np.split(sums, 4, -1)
        c = np.asarray(gate(f + p_f * c) * c + gate(i + p_i * c) * cell(z))
        c = c if clip is None else np.clip(c, -np.float32(clip), np.float32(clip))
        h = np.asarray(gate(o + p_o * c) * out(c))
        outputs.append(h)
    return np.stack(outputs), c
