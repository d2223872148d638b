"""Activation functions that are one kernel each, with their parameters."""

from __future__ import annotations

from edgekit.lowering.tvm.adapter import Expr, dtype_of, tir
from edgekit.lowering.tvm.kernels.common import const, larger, smaller
from edgekit.lowering.tvm.kernels.scalars import erf, scalar, tanh


@scalar("relu")
def relu(x: Expr) -> Expr:
    """max(x, 0); NaN stays NaN."""
    return tir.Select(x < const(0, dtype_of(x)), const(0, dtype_of(x)), x)


@scalar("leaky_relu")
def leaky_relu(x: Expr, *, alpha: float) -> Expr:
    """x, or alpha x below 0."""
    return tir.Select(x < const(0, dtype_of(x)), x * const(alpha, dtype_of(x)), x)


@scalar("prelu")
def prelu(x: Expr, slope: Expr) -> Expr:
    """x, or slope x below 0."""
    return tir.Select(x < const(0, dtype_of(x)), x * slope, x)


@scalar("thresholded_relu")
def thresholded_relu(x: Expr, *, alpha: float) -> Expr:
    """X above alpha, else 0."""
    return tir.Select(x > const(alpha, dtype_of(x)), x, const(0, dtype_of(x)))


@scalar("sigmoid")
def sigmoid(x: Expr) -> Expr:
    """1 / (1 + exp(-x))."""
    one = const(1, dtype_of(x))
    return one / (one + tir.exp(-x))


@scalar("hard_sigmoid")
def hard_sigmoid(x: Expr, *, alpha: float, beta: float) -> Expr:
    """clip(alpha x + beta, 0, 1)."""
    line = x * const(alpha, dtype_of(x)) + const(beta, dtype_of(x))
    return smaller(larger(line, const(0, dtype_of(x))), const(1, dtype_of(x)))


@scalar("hard_swish")
def hard_swish(x: Expr) -> Expr:
    """X clip(x / 6 + 1/2, 0, 1)."""
    return x * hard_sigmoid(x, alpha=1 / 6, beta=0.5)


@scalar("elu")
def elu(x: Expr, *, alpha: float) -> Expr:
    """x, or alpha (exp(x) - 1) below 0."""
    return tir.Select(x < const(0, dtype_of(x)), const(alpha, dtype_of(x)) * expm1(x), x)


@scalar("selu")
def selu(x: Expr, *, alpha: float, gamma: float) -> Expr:
    """Gamma times ELU."""
    return const(gamma, dtype_of(x)) * elu(x, alpha=alpha)


@scalar("celu")
def celu(x: Expr, *, alpha: float) -> Expr:
    """max(0, x) + min(0, alpha (exp(x / alpha) - 1))."""
    a = const(alpha, dtype_of(x))
    bent = a * expm1(x / a)
    zero = const(0, dtype_of(x))
    return larger(x, zero) + smaller(bent, zero)


@scalar("softplus")
def softplus(x: Expr) -> Expr:
    """log(1 + exp(x)) without overflow."""
    return larger(x, const(0, dtype_of(x))) + log1p(tir.exp(-tir.abs(x)))


@scalar("softsign")
def softsign(x: Expr) -> Expr:
    """X / (1 + |x|)."""
    return x / (const(1, dtype_of(x)) + tir.abs(x))


@scalar("mish")
def mish(x: Expr) -> Expr:
    """X tanh(softplus(x))."""
    return x * tanh(softplus(x))


@scalar("gelu")
def gelu(x: Expr, *, approximate: bool) -> Expr:
    """X Phi(x), by erf or by tanh."""
    half, one = const(0.5, dtype_of(x)), const(1, dtype_of(x))
    if approximate:
        inner = const(0.7978845608028654, dtype_of(x)) * (x + const(0.044715, dtype_of(x)) * x * x * x)
        return half * x * (one + tanh(inner))
    return half * x * (one + erf(x * const(0.7071067811865476, dtype_of(x))))


@scalar("swish")
def swish(x: Expr, *, alpha: float) -> Expr:
    """X sigmoid(alpha x)."""
    return x * sigmoid(x * const(alpha, dtype_of(x)))


@scalar("shrink")
def shrink(x: Expr, *, lambd: float, bias: float) -> Expr:
    """X moved towards 0 by `bias`, and 0 within `lambd` of it."""
    limit, shift, zero = const(lambd, dtype_of(x)), const(bias, dtype_of(x)), const(0, dtype_of(x))
    return tir.Select(x < zero - limit, x + shift, tir.Select(x > limit, x - shift, zero))


def expm1(x: Expr) -> Expr:
    """exp(x) - 1 by the C library, exact near 0."""
    return tir.call_pure_extern(dtype_of(x), "expm1" if dtype_of(x) == "float64" else "expm1f", x)


def log1p(x: Expr) -> Expr:
    """log(1 + x) by the C library, exact near 0."""
    return tir.call_pure_extern(dtype_of(x), "log1p" if dtype_of(x) == "float64" else "log1pf", x)
