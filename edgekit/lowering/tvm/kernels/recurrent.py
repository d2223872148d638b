"""RNN, GRU and LSTM: the steps of one direction, given the input's share of the gates."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from edgekit.lowering.tvm.adapter import Expr, Tensor, dtype_of, script, tir
from edgekit.lowering.tvm.kernels import activations as act
from edgekit.lowering.tvm.kernels.common import const, larger, smaller
from edgekit.lowering.tvm.kernels.scalars import tanh
from edgekit.lowering.tvm.kernels.sequential import loops
from edgekit.lowering.tvm.kernels.table import kernel

Activation = Callable[[Expr], Expr]
_PLAIN: dict[str, Activation] = {
    "relu": act.relu,
    "tanh": tanh,
    "sigmoid": act.sigmoid,
    "softsign": act.softsign,
    "softplus": act.softplus,
}


def _activation(spec: Sequence[Any]) -> Activation:
    """Makes a function of (name, alpha, beta); ONNX lists the formulas at the operator RNN."""
    name, alpha, beta = spec
    if name in _PLAIN:
        return _PLAIN[name]
    return {
        "leakyrelu": lambda x: act.leaky_relu(x, alpha=alpha),
        "thresholdedrelu": lambda x: tir.Select(x >= const(alpha, dtype_of(x)), x, const(0, dtype_of(x))),
        "elu": lambda x: act.elu(x, alpha=alpha),
        "hardsigmoid": lambda x: act.hard_sigmoid(x, alpha=alpha, beta=beta),
        "scaledtanh": lambda x: const(alpha, dtype_of(x)) * tanh(const(beta, dtype_of(x)) * x),
        "affine": lambda x: const(alpha, dtype_of(x)) * x + const(beta, dtype_of(x)),
    }[name]


@kernel("recurrent")
def recurrent(
    gates: Tensor,
    weights: Tensor,
    bias: Tensor,
    hidden: Tensor,
    cell: Tensor | None,
    lengths: Tensor | None,
    peepholes: Tensor | None,
    *,
    kind: str,
    functions: Sequence[Sequence[Any]],
    backwards: bool,
    clip: float | None,
    coupled: bool,
    reset_after: bool,
) -> Any:
    """Walks over a sequence.

    Args:
        gates: W x + Wb of every step: (length, batch, gates * hidden).
        weights: R transposed: (hidden, gates * hidden).
        bias: Rb: (gates * hidden,).
        hidden: The state before the first step: (batch, hidden).
        cell: The cell state of an LSTM.
        lengths: Steps of each sequence of the batch; all of them by default.
        peepholes: Weights from the cell state to the gates i, o, f of an LSTM: (3 * hidden,).
        kind: `RNN`, `GRU` or `LSTM`.
        functions: Name, alpha and beta of the activations f, g, h.
        backwards: Walk from each sequence's last step to its first.
        clip: Limit of what the activations get.
        coupled: The forget gate is 1 less the input gate.
        reset_after: Apply a GRU's reset gate after the product.

    Returns:
        All outputs (length, batch, hidden), the last hidden state, the last cell state (LSTM; else
        zeros), and a scratch tensor.
    """
    steps, batch, width = gates.shape
    size = hidden.shape[1]
    dtype = dtype_of(gates)
    calls = [_activation(f) for f in functions]
    operands = [t for t in (gates, weights, bias, hidden, cell, lengths, peepholes) if t is not None]
    optional = [t is not None for t in (cell, lengths, peepholes)]

    def body(ins: list[Any], outs: list[Any]) -> None:
        x, r, rb, h0, *rest = ins
        given = iter(rest)
        c0, count, peep = (next(given) if here else None for here in optional)
        out, h, c, sums = outs
        step = _Step(kind, calls, clip, coupled, reset_after, size, width, dtype, peep)
        with script.serial(0, batch * size) as i:
            h[i] = h0[i]
            c[i] = const(0, dtype) if c0 is None else c0[i]
        with script.serial(0, steps) as t, script.serial(0, batch) as n:
            place = steps - 1 - t if backwards else t
            active = place < (steps if count is None else count[n].astype("int64"))
            with script.If(active):
                with script.Then():
                    step.write(x, (place * batch + n) * width, r, rb, h, c, n, sums)
                    with script.serial(0, size) as j:
                        out[(place * batch + n) * size + j] = h[n * size + j]
                with script.Else(), script.serial(0, size) as j:
                    out[(place * batch + n) * size + j] = const(0, dtype)

    return loops(
        [([steps, batch, size], dtype), ([batch, size], dtype), ([batch, size], dtype), ([2, width], dtype)],
        operands,
        body,
        f"{kind.lower()}_{'backwards' if backwards else 'forwards'}",
    )


class _Step:
    """Writes one step of one sequence of the batch."""

    def __init__(
        self,
        kind: str,
        calls: Sequence[Activation],
        clip: float | None,
        coupled: bool,
        reset_after: bool,
        size: Expr,
        width: Expr,
        dtype: str,
        peep: Any,
    ) -> None:
        self.kind, self.calls, self.clip = kind, calls, clip
        self.coupled, self.reset_after = coupled, reset_after
        self.size, self.width, self.dtype, self.peep = size, width, dtype, peep

    def limited(self, x: Expr) -> Expr:
        if self.clip is None:
            return x
        bound = const(self.clip, self.dtype)
        return larger(smaller(x, bound), const(-self.clip, self.dtype))

    def write(self, x: Any, base: Expr, r: Any, rb: Any, h: Any, c: Any, n: Expr, sums: Any) -> None:
        """Updates h and c of the sequence `n`; `base` is where its gates begin in `x`."""
        own, width = n * self.size, self.width
        keep_apart = self.kind == "GRU"  # the product of the last gate is needed by itself
        with script.serial(0, width) as j:
            start = rb[j] if keep_apart else x[base + j] + rb[j]
            sums[j] = start
        with script.serial(0, self.size) as k, script.serial(0, width) as j:
            sums[j] = sums[j] + r[k * width + j] * h[own + k]
        {"RNN": self._rnn, "LSTM": self._lstm, "GRU": self._gru}[self.kind](x, base, r, rb, h, c, own, sums)

    def _rnn(self, x: Any, base: Expr, r: Any, rb: Any, h: Any, c: Any, own: Expr, sums: Any) -> None:
        with script.serial(0, self.size) as j:
            h[own + j] = self.calls[0](self.limited(sums[j]))

    def _lstm(self, x: Any, base: Expr, r: Any, rb: Any, h: Any, c: Any, own: Expr, sums: Any) -> None:
        f, g, out = self.calls
        size, peep = self.size, self.peep
        with script.serial(0, size) as j:
            old = c[own + j]

            def gate(index: int, state: Any, which: int, j: Expr = j) -> Expr:
                total = sums[index * size + j]
                total = total if peep is None else total + peep[which * size + j] * state
                return f(self.limited(total))

            into = gate(0, old, 0)
            forget = const(1, self.dtype) - into if self.coupled else gate(2, old, 2)
            c[own + j] = forget * old + into * g(self.limited(sums[3 * size + j]))
            h[own + j] = gate(1, c[own + j], 1) * out(c[own + j])

    def _gru(self, x: Any, base: Expr, r: Any, rb: Any, h: Any, c: Any, own: Expr, sums: Any) -> None:
        f, g = self.calls
        size, width = self.size, self.width
        with script.serial(0, 2 * size) as j:
            sums[width + j] = f(self.limited(x[base + j] + sums[j]))  # update gate, then reset gate
        with script.serial(0, size) as j:
            last = 2 * size + j
            if self.reset_after:
                sums[width + last] = x[base + last] + sums[width + size + j] * sums[last]
            else:
                sums[width + last] = x[base + last] + rb[last]
        if not self.reset_after:
            with script.serial(0, size) as k, script.serial(0, size) as j:
                last = 2 * size + j
                kept = sums[width + size + k] * h[own + k]
                sums[width + last] = sums[width + last] + r[k * width + last] * kept
        with script.serial(0, size) as j:
            update = sums[width + j]
            fresh = g(self.limited(sums[width + 2 * size + j]))
            h[own + j] = (const(1, self.dtype) - update) * fresh + update * h[own + j]
