"""One step of RNN, GRU and LSTM.

Source of the equations: ONNX operator schemas of RNN, GRU and LSTM.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from edgekit.lowering.coreml.builder import CoreMlBuilder
from edgekit.lowering.coreml.formula import Term
from edgekit.lowering.coreml.parts import split

Activation = Callable[[Term], Term]
State = tuple[Term, ...]
"""(h,) or (h, c), each (batch, hidden)."""


@dataclass(frozen=True, slots=True)
class Cell:
    """The parameters of one direction.

    Attributes:
        weights: R, by gates: (gates * hidden, hidden).
        bias: Rb, by gates: (gates * hidden,).
        gates: How many.
        activations: f, g and h in ONNX's order.
        clip: Limit of what enters an activation of a gate.
        peepholes: For the input, output and forget gate: (hidden,) each; empty without.
        coupled: The forget gate is `1 - input gate`.
        reset_after: GRU's `linear_before_reset`.
    """

    weights: Term
    bias: Term
    gates: int
    activations: tuple[Activation, ...]
    clip: float | None = None
    peepholes: tuple[Term, ...] = ()
    coupled: bool = False
    reset_after: bool = False

    @property
    def is_constant(self) -> bool:
        """Tells whether no parameter is computed at run time."""
        parameters = (self.weights, self.bias, *self.peepholes)
        return all(p.value.data is not None for p in parameters)

    def inside(self, b: CoreMlBuilder) -> Cell:
        """Returns a cell of constant parameters that emits into a nested graph."""
        return replace(
            self,
            weights=Term(b, self.weights.value),
            bias=Term(b, self.bias.value),
            peepholes=tuple(Term(b, p.value) for p in self.peepholes),
        )

    def step(self, x: Term, state: State) -> State:
        """Advances by one step.

        Args:
            x: The input's share of the gates, `W x + Wb`: (batch, gates * hidden).
            state: The state before.

        Returns:
            The state after.
        """
        return {1: self._rnn, 3: self._gru, 4: self._lstm}[self.gates](x, state)

    def _rnn(self, x: Term, state: State) -> State:
        return (self._gate(0, x + _linear(state[0], self.weights, self.bias)),)

    def _gru(self, x: Term, state: State) -> State:
        h = state[0]
        update_x, reset_x, hidden_x = _parts(x, 3, -1)
        if self.reset_after:
            update_h, reset_h, hidden_h = _parts(_linear(h, self.weights, self.bias), 3, -1)
        else:
            w, bias = _parts(self.weights, 3, 0), _parts(self.bias, 3, 0)
            update_h, reset_h = (_linear(h, w[i], bias[i]) for i in (0, 1))
        update, reset = self._gate(0, update_x + update_h), self._gate(0, reset_x + reset_h)
        past = reset * hidden_h if self.reset_after else _linear(reset * h, w[2], bias[2])
        hidden = self._gate(1, hidden_x + past)
        return ((1 - update) * hidden + update * h,)

    def _lstm(self, x: Term, state: State) -> State:
        h, c = state
        into, out, forget, new = _parts(x + _linear(h, self.weights, self.bias), 4, -1)
        if self.peepholes:
            into, forget = into + self.peepholes[0] * c, forget + self.peepholes[2] * c
        i = self._gate(0, into)
        f = 1 - i if self.coupled else self._gate(0, forget)
        c = f * c + i * self._gate(1, new)
        out = out + self.peepholes[1] * c if self.peepholes else out
        return self._gate(0, out) * self.activations[2](c), c

    def _gate(self, which: int, x: Term) -> Term:
        return self.activations[which](x if self.clip is None else x.maximum(-self.clip).minimum(self.clip))


def _linear(h: Term, w: Term, bias: Term) -> Term:
    """Returns `h w' + bias`; the bias alone for a state of constant zeros."""
    data = h.value.data
    if data is not None and not data.any():
        return bias
    return linear(h, w, bias)


def linear(x: Term, w: Term, bias: Term) -> Term:
    """Returns `x w' + bias`."""
    b = x.b
    if w.value.data is not None and bias.value.data is not None:
        return Term(b, b.op("linear", x=x.value, weight=w.value, bias=bias.value))
    weight = w.value if len(x.shape) == 2 else b.expand_dims(w.value, [0])
    return Term(b, b.op("matmul", x=x.value, y=weight, transpose_y=True)) + bias


def _parts(x: Term, count: int, axis: int) -> tuple[Term, ...]:
    return tuple(Term(x.b, part) for part in split(x.b, x.value, count, axis))
