"""LSTM as MIL's own op, where it computes the same; the general case is in `recurrent`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgekit.lowering.coreml import sizes as sz
from edgekit.lowering.coreml.builder import CoreMlBuilder
from edgekit.lowering.coreml.parts import split
from edgekit.lowering.ledger import Value
from edgekit.lowering.op import Op

_DEFAULT = ("sigmoid", "tanh", "tanh")
_DIRECTIONS = {"forward": 1, "reverse": 1, "bidirectional": 2}


def is_native(n: Op) -> bool:
    """Tells whether MIL's lstm computes the same: constant weights, plain gates, sequences of one length."""
    names = tuple(name.lower() for name in n.attr("activations") or ())
    plain = all(name == _DEFAULT[i % 3] for i, name in enumerate(names))
    weights = all(n.const(i) is not None or n.input(i) is None for i in (1, 2, 3))
    extras = n.input(4) is None and n.input(7) is None and n.attr("clip") is None
    return plain and weights and extras and not n.attr("input_forget", 0) and n.operand(0).dtype == np.float32


def native(b: CoreMlBuilder, n: Op) -> tuple[Value, Value, Value]:
    """LSTM -> lstm.

    Returns:
        The outputs, (length, directions, batch, hidden), and both states, (directions, batch, hidden), in
        ONNX's layout 0.
    """
    direction = n.attr("direction") or "forward"
    count, hidden = _DIRECTIONS[direction], int(n.attr("hidden_size"))
    x = b.transpose(n.operand(0), (1, 0, 2) if n.attr("layout", 0) else (0, 1, 2))
    backwards = direction == "reverse"
    if backwards:  # MIL does not say in which order a reverse layer gives its outputs
        x, direction = b.op("reverse", x=x, axes=[0]), "forward"
    ends = ["", "_back"][:count]
    params = {name + end: v for d, end in enumerate(ends) for name, v in _parameters(b, n, d, hidden).items()}
    sequence, last, cell = b.multi(
        "lstm",
        x=x,
        initial_h=_state(b, n, 5, x, count * hidden),
        initial_c=_state(b, n, 6, x, count * hidden),
        direction=direction,
        output_sequence=True,
        dtypes=[np.float32] * 3,
        **params,
    )
    if backwards:
        sequence = b.op("reverse", x=sequence, axes=[0])
    return _apart(b, sequence, count, 1), _apart(b, last, count, 0), _apart(b, cell, count, 0)


def _parameters(b: CoreMlBuilder, n: Op, d: int, hidden: int) -> dict[str, Value]:
    w, r = n.known(1, "W")[d], n.known(2, "R")[d]
    bias = np.zeros(8 * hidden, np.float32) if n.input(3) is None else n.known(3, "B")[d]
    both = bias[: 4 * hidden] + bias[4 * hidden :]
    return {
        "weight_ih": b.const(_reordered(w)),
        "weight_hh": b.const(_reordered(r)),
        "bias": b.const(_reordered(both)),
    }


def _reordered(gates: NDArray[np.float32]) -> NDArray[np.float32]:
    """ONNX orders input, output, forget, cell; MIL input, forget, output, cell."""
    i, o, f, c = np.split(gates, 4)
    return np.concatenate([i, f, o, c])


def _state(b: CoreMlBuilder, n: Op, index: int, x: Value, width: int) -> Value:
    """Returns the state before the first step: (batch, directions * hidden)."""
    if n.input(index) is None:
        return sz.filled(b, b.const(np.float32(0)), [sz.size_of(b, x, 1), width])
    state = n.operand(index)
    state = state if n.attr("layout", 0) else b.transpose(state, (1, 0, 2))
    return b.concat([b.squeeze(part, [1]) for part in split(b, state, state.shape[1] or 1, 1)], 1)


def _apart(b: CoreMlBuilder, x: Value, count: int, axis: int) -> Value:
    """Gives the directions, which MIL joins on the last axis, an axis of their own."""
    return b.concat([b.expand_dims(part, [axis]) for part in split(b, x, count, x.rank - 1)], axis)
