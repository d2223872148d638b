"""Formulas of activations that neither overflow nor cancel."""

from __future__ import annotations

import numpy as np

from edgekit.lowering.tflite.formula import Term


def leaky_relu(x: Term, alpha: float) -> Term:
    """LEAKY_RELU."""
    return Term(x.b, x.b.op("LEAKY_RELU", [x.value], {"alpha": alpha}))


def elu(x: Term, alpha: float) -> Term:
    """ELU; with another factor than 1 RELU plus a scaled ELU of the negative part."""
    return x.unary("ELU") if alpha == 1 else x.unary("RELU") + x.minimum(0).unary("ELU") * alpha


def thresholded_relu(x: Term, alpha: float) -> Term:
    """SELECT_V2 between the input and zero."""
    return (x > alpha).where(x, 0)


def hard_sigmoid(x: Term, alpha: float, beta: float) -> Term:
    """A scaled RELU6 where the slope is 1/6, else RELU and MINIMUM."""
    if np.float32(alpha) == np.float32(1 / 6):
        return (x + beta * 6).unary("RELU6") * alpha
    return (x * alpha + beta).unary("RELU").minimum(1)


def softsign(x: Term) -> Term:
    """Returns `x / (1 + |x|)`."""
    return x / (x.abs() + 1)


def softplus(x: Term) -> Term:
    """Returns `relu(x) + log1p(exp(-|x|))`."""
    return x.unary("RELU") + log1p((-x.abs()).exp())


def log1p(u: Term) -> Term:
    """Logarithm of 1 + u for u in [0, 1], with full relative precision.

    LiteRT's LOG of a rounded sum has none near 1. With `z = u / (2 + u)`, at most 1/3, the series
    `2 z (1 + z^2 / 3 + z^4 / 5 + ...)` reaches float32 in eight terms.

    Source: `log(1 + u) = 2 artanh(u / (2 + u))`.
    """
    z = u / (u + 2)
    square = z * z
    series = square * (1 / 15) + 1 / 13
    for odd in (11, 9, 7, 5, 3, 1):
        series = series * square + 1 / odd
    return z * series * 2


def mish(x: Term) -> Term:
    """Returns `x * m / (m + 2)` with `m = e (e + 2)`, `e = exp(x)`.

    That is `x * tanh(log(1 + e))` written as a fraction, which is x in float32 beyond 20.
    """
    e = x.minimum(20).exp()
    m = e * (e + 2)
    return x * (m / (m + 2))
