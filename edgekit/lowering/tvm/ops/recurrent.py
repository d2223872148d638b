"""RNN, GRU, LSTM: one product for the input's share of all gates, then a kernel per direction."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from edgekit.lowering.ledger import Shape, Value
from edgekit.lowering.op import Op
from edgekit.lowering.tvm.builder import TVMBuilder
from edgekit.lowering.tvm.ops.products import matmul
from edgekit.lowering.tvm.table import lowers

_GATES = {"RNN": 1, "GRU": 3, "LSTM": 4}
_DEFAULTS = {"RNN": ("Tanh",), "GRU": ("Sigmoid", "Tanh"), "LSTM": ("Sigmoid", "Tanh", "Tanh")}
_DIRECTIONS = {"forward": (False,), "reverse": (True,), "bidirectional": (False, True)}
_PLAIN = ("relu", "tanh", "sigmoid", "softsign", "softplus")
_OF_ALPHA = {"leakyrelu": 0.01, "thresholdedrelu": 1.0, "elu": 1.0}
_OF_BOTH: dict[str, tuple[float | None, float | None]] = {
    "hardsigmoid": (0.2, 0.5),
    "scaledtanh": (None, None),
    "affine": (None, None),
}


@lowers("RNN", "GRU", "LSTM", since=14)
def recurrent(b: TVMBuilder, n: Op) -> tuple[Value, ...]:
    """Walks in each direction and joins the results."""
    source = n.operand(0)
    real = np.dtype(np.float64 if source.dtype == np.float64 else np.float32)
    batch_first = n.attr("layout", 0) == 1
    x = b.cast(source, real)
    x = b.transpose(x, (1, 0, 2)) if batch_first else x
    sequences, states = [], []
    for d, backwards in enumerate(_DIRECTIONS[n.attr("direction") or "forward"]):
        sequence, *state = _direction(b, n, x, d, backwards)
        sequences.append(b.unsqueeze(sequence, [1]))
        states.append([b.unsqueeze(s, [0]) for s in state])
    everything = b.concat(sequences, 1)
    last = [b.concat(parts, 0) for parts in zip(*states, strict=True)]
    if batch_first:
        everything, last = b.transpose(everything, (2, 0, 1, 3)), [b.transpose(s, (1, 0, 2)) for s in last]
    return tuple(b.cast(v, source.dtype) for v in (everything, *last))


def _direction(b: TVMBuilder, n: Op, x: Value, d: int, backwards: bool) -> tuple[Value, ...]:
    """Returns all outputs (length, batch, hidden) and the last states (batch, hidden)."""
    count = _GATES[n.type]
    w, r = (b.transpose(_part(b, n, i, d, x.dtype), (1, 0)) for i in (1, 2))
    size = r.shape[0]
    if size is None:
        n.refuse("the number of hidden units is known only at run time", code="EK305")
    zeros = b.const(np.zeros(count * size, x.dtype))
    wb, rb = zeros, zeros
    if n.input(3) is not None:
        both = _part(b, n, 3, d, x.dtype)
        wb, rb = b.slice(both, 0, 0, count * size), b.slice(both, 0, count * size, 2 * count * size)
    gates = b.map("add", matmul(b, x, w), wb)
    state = (x.shape[1], size)
    hidden = _start(b, n, 5, d, x, state)
    cell = _start(b, n, 6, d, x, state) if n.type == "LSTM" else None
    peepholes = _part(b, n, 7, d, x.dtype) if n.type == "LSTM" and n.input(7) is not None else None
    attrs = {
        "kind": n.type,
        "functions": _functions(n, d),
        "backwards": backwards,
        "clip": n.attr("clip"),
        "coupled": bool(n.attr("input_forget", 0)),
        "reset_after": bool(n.attr("linear_before_reset", 0)),
    }
    results = [(x.dtype, s) for s in ((x.shape[0], *state), state, state, (2, count * size))]
    operands = [gates, r, rb, hidden, cell, n.input(4), peepholes]
    sequence, h, c, _ = b.multi("recurrent", operands, results, attrs)
    return (sequence, h, c) if n.type == "LSTM" else (sequence, h)


def _part(b: TVMBuilder, n: Op, index: int, d: int, dtype: np.dtype[Any], axis: int = 0) -> Value:
    """Takes one direction of an operand."""
    value = b.cast(n.operand(index), dtype)
    return b.squeeze(b.slice(value, axis, d, d + 1), [axis])


def _start(b: TVMBuilder, n: Op, index: int, d: int, x: Value, state: Shape) -> Value:
    """The state before the first step; zeros where it is left out."""
    if n.input(index) is not None:
        return _part(b, n, index, d, x.dtype, 1 if n.attr("layout", 0) == 1 else 0)
    batch, size = state
    if batch is not None:
        return b.const(np.zeros((batch, size or 0), x.dtype))
    count = b.op("shape_of", [x], {"start": 1, "end": 2}, dtype=np.int64, shape=(1,))
    sizes = b.op("concat", [count, b.ints([size or 0])], {"axis": 0}, dtype=np.int64, shape=(2,))
    return b.op("fill", [sizes, b.scalar(0, x)], dtype=x.dtype, shape=state)


def _functions(n: Op, d: int) -> list[tuple[str, float | None, float | None]]:
    """Reads the functions of one direction; `activation_alpha` lists values for those that take one."""
    names = n.attr("activations") or ()
    count = len(_DEFAULTS[n.type])
    alphas, betas = iter(n.attr("activation_alpha") or ()), iter(n.attr("activation_beta") or ())
    made = [_function(n, name.lower(), alphas, betas) for name in names or _DEFAULTS[n.type]]
    return made[d * count : (d + 1) * count] if names else made


def _function(
    n: Op, name: str, alphas: Iterator[float], betas: Iterator[float]
) -> tuple[str, float | None, float | None]:
    if name in _PLAIN:
        return name, None, None
    if name in _OF_ALPHA:
        return name, float(next(alphas, _OF_ALPHA[name])), None
    if name in _OF_BOTH:
        alpha, beta = next(alphas, _OF_BOTH[name][0]), next(betas, _OF_BOTH[name][1])
        if alpha is not None and beta is not None:
            return name, float(alpha), float(beta)
    return n.refuse(f"the activation `{name}`, or it without its alpha and beta")
