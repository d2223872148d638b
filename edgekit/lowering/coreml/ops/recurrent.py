"""RNN, GRU and LSTM: the input's share of all gates at once, then one step after the other."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from edgekit.lowering.coreml import native_lstm, recurrence
from edgekit.lowering.coreml.builder import CoreMlBuilder
from edgekit.lowering.coreml.cells import Activation, Cell, State, linear
from edgekit.lowering.coreml.formula import Term
from edgekit.lowering.coreml.parts import split
from edgekit.lowering.coreml.table import lowers
from edgekit.lowering.ledger import Value
from edgekit.lowering.op import Op

UNROLLED = 256
"""Sequences up to this length become straight code."""
GATES = {"RNN": 1, "GRU": 3, "LSTM": 4}
DEFAULTS = {"RNN": ("Tanh",), "GRU": ("Sigmoid", "Tanh"), "LSTM": ("Sigmoid", "Tanh", "Tanh")}
DIRECTIONS = {"forward": (False,), "reverse": (True,), "bidirectional": (False, True)}
"""Whether each direction walks backwards."""


@lowers("RNN", "GRU", "LSTM", since=22)
def recurrent(b: CoreMlBuilder, n: Op) -> tuple[Value, ...]:
    """LSTM -> lstm where that is the same, else linear and elementwise ops, unrolled or in a while_loop."""
    x = n.operand(0)
    batch_first = n.attr("layout", 0) == 1
    if n.type == "LSTM" and native_lstm.is_native(n):
        made = native_lstm.native(b, n)
        if not batch_first:
            return made
        return b.transpose(made[0], (2, 0, 1, 3)), *(b.transpose(s, (1, 0, 2)) for s in made[1:])
    signal = Term(b, b.transpose(b.cast(x, np.float32), (1, 0, 2) if batch_first else (0, 1, 2)))
    directions = DIRECTIONS[n.attr("direction") or "forward"]
    sequences, finals = [], []
    for d, backwards in enumerate(directions):
        gates, start = _gates(b, n, signal, d), _start(b, n, d)
        sequence, state = _sequence(n, _cell(b, n, d), gates, start, _lengths(b, n), backwards=backwards)
        sequences.append(Term(b, b.expand_dims(sequence.value, [1])))
        finals.append([Term(b, b.expand_dims(s.value, [0])) for s in state])
    everything = _joined(b, sequences, 1)  # (length, directions, batch, hidden)
    last = [_joined(b, parts, 0) for parts in zip(*finals, strict=True)]  # (directions, batch, hidden)
    if batch_first:
        everything = Term(b, b.transpose(everything.value, (2, 0, 1, 3)))
        last = [Term(b, b.transpose(s.value, (1, 0, 2))) for s in last]
    return tuple(v.cast(x.dtype).value for v in (everything, *last))


def _sequence(
    n: Op, cell: Cell, gates: Term, state: State, lengths: Term | None, *, backwards: bool
) -> tuple[Term, State]:
    """Returns all outputs, (length, batch, hidden), and the state at the end."""
    length = gates.shape[0]
    if length == 0:
        n.refuse("a sequence without steps")
    if length is not None and length <= UNROLLED:
        return recurrence.unrolled(cell, gates, state, lengths, backwards=backwards)
    if not cell.is_constant:
        n.refuse(f"weights computed at run time for more than {UNROLLED} steps")
    return recurrence.looped(cell, gates, state, lengths, backwards=backwards)


def _lengths(b: CoreMlBuilder, n: Op) -> Term | None:
    """The number of steps of each sequence: (batch, 1) in int32."""
    lengths = n.input(4)
    return None if lengths is None else Term(b, b.int32(b.reshape(lengths, (lengths.shape[0], 1))))


def _gates(b: CoreMlBuilder, n: Op, x: Term, d: int) -> Term:
    """Returns `W x + Wb` of all steps: (length, batch, gates * hidden)."""
    w = _of_direction(b, n, 1, d)
    bias = _bias(b, n, d)[0]
    return linear(x, w, bias)


def _bias(b: CoreMlBuilder, n: Op, d: int) -> tuple[Term, Term]:
    """Returns Wb and Rb."""
    if n.input(3) is None:
        zeros = Term(b, b.const(np.zeros(GATES[n.type] * n.attr("hidden_size")), np.float32))
        return zeros, zeros
    w, r = split(b, _of_direction(b, n, 3, d).value, 2, 0)
    return Term(b, w), Term(b, r)


def _cell(b: CoreMlBuilder, n: Op, d: int) -> Cell:
    peepholes: tuple[Term, ...] = ()
    if n.type == "LSTM" and n.input(7) is not None:
        peepholes = tuple(Term(b, p) for p in split(b, _of_direction(b, n, 7, d).value, 3, 0))
    return Cell(
        weights=_of_direction(b, n, 2, d),
        bias=_bias(b, n, d)[1],
        gates=GATES[n.type],
        activations=_activations(n, d),
        clip=n.attr("clip"),
        peepholes=peepholes,
        coupled=n.attr("input_forget", 0) != 0,
        reset_after=n.attr("linear_before_reset", 0) != 0,
    )


def _start(b: CoreMlBuilder, n: Op, d: int) -> State:
    """The state before the first step; zeros that broadcast where it is left out."""
    axis = 1 if n.attr("layout", 0) == 1 else 0
    zeros = Term(b, b.const(np.zeros((1, n.attr("hidden_size"))), np.float32))
    indices = (5, 6) if n.type == "LSTM" else (5,)
    return tuple(zeros if n.input(i) is None else _of_direction(b, n, i, d, axis) for i in indices)


def _of_direction(b: CoreMlBuilder, n: Op, index: int, d: int, axis: int = 0) -> Term:
    """Takes one direction of an operand and casts it to float32."""
    value = b.cast(n.operand(index), np.float32)
    part = split(b, value, value.shape[axis] or 1, axis)[d]
    return Term(b, part).reshape((*part.shape[:axis], *part.shape[axis + 1 :]))


def _activations(n: Op, d: int) -> tuple[Activation, ...]:
    """Reads the functions of one direction; `activation_alpha` lists values for those that take one."""
    names = n.attr("activations") or ()
    count = len(DEFAULTS[n.type])
    alphas, betas = iter(n.attr("activation_alpha") or ()), iter(n.attr("activation_beta") or ())
    made = [_activation(n, name, alphas, betas) for name in names or DEFAULTS[n.type]]
    return tuple(made[d * count : (d + 1) * count] if names else made)


def _activation(n: Op, name: str, alphas: Iterator[float], betas: Iterator[float]) -> Activation:
    """Makes an activation; defaults are those of the ONNX op of its name."""
    kind = name.lower()
    if kind in _PLAIN:
        return _PLAIN[kind]
    alpha = next(alphas, _ALPHA.get(kind))
    if kind in _OF_ALPHA and alpha is not None:
        return functools.partial(_OF_ALPHA[kind], alpha=alpha)
    beta = next(betas, _BETA.get(kind))
    if kind in _OF_BOTH and alpha is not None and beta is not None:
        return functools.partial(_OF_BOTH[kind], alpha=alpha, beta=beta)
    return n.refuse(f"the activation `{name}`, or it without its alpha and beta")


_PLAIN: Mapping[str, Activation] = {
    kind: functools.partial(Term.unary, op=kind)
    for kind in ("relu", "tanh", "sigmoid", "softsign", "softplus")
}
_OF_ALPHA: Mapping[str, Callable[..., Term]] = {
    "leakyrelu": lambda x, alpha: x.unary("leaky_relu", alpha=float(alpha)),
    "thresholdedrelu": lambda x, alpha: (x > alpha).where(x, 0),
    "elu": lambda x, alpha: x.unary("elu", alpha=float(alpha)),
}
_OF_BOTH: Mapping[str, Callable[..., Term]] = {
    "hardsigmoid": lambda x, alpha, beta: x.unary("sigmoid_hard", alpha=float(alpha), beta=float(beta)),
    "scaledtanh": lambda x, alpha, beta: (x * beta).unary("tanh") * alpha,
    "affine": lambda x, alpha, beta: x * alpha + beta,
}
_ALPHA = {"leakyrelu": 0.01, "thresholdedrelu": 1.0, "elu": 1.0, "hardsigmoid": 0.2}
_BETA = {"hardsigmoid": 0.5}


def _joined(b: CoreMlBuilder, parts: Sequence[Term], axis: int) -> Term:
    return Term(b, b.concat([p.value for p in parts], axis))
