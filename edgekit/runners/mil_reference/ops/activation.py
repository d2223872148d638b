"""Activations."""

from __future__ import annotations

import math

import numpy as np

from edgekit.runners.mil_reference.ops.axes import normal, per_channel
from edgekit.runners.mil_reference.ops.erf import erf
from edgekit.runners.mil_reference.refusal import Refusal
from edgekit.runners.mil_reference.table import Real, evaluates
from edgekit.runners.mil_reference.types import Array


@evaluates("relu")
def relu(x: Real) -> Array:
    """Cuts off what is below 0."""
    return np.maximum(x, 0).astype(x.dtype)


@evaluates("relu6")
def relu6(x: Real) -> Array:
    """Bounds to 0 and 6."""
    return np.minimum(np.maximum(x, 0), 6).astype(x.dtype)


@evaluates("clamped_relu")
def clamped_relu(x: Real, alpha: float, beta: float) -> Array:
    """Bounds `x`, or `alpha * x` below 0, by `beta`."""
    return np.minimum(np.float32(beta), np.where(x >= 0, x, np.float32(alpha) * x))


@evaluates("elu")
def elu(x: Real, alpha: float) -> Array:
    """Follows the exponential function below 0."""
    return np.where(x > 0, x, np.float32(alpha) * np.expm1(np.minimum(x, 0)))


@evaluates("gelu")
def gelu(x: Real, mode: str = "EXACT") -> Array:
    """Weighs by the distribution of normal numbers."""
    if mode == "EXACT":
        return np.asarray(0.5 * x * (1 + erf(x / np.float32(math.sqrt(2)))))
    if mode == "TANH_APPROXIMATION":
        return np.asarray(
            0.5 * x * (1 + np.tanh(np.float32(math.sqrt(2 / math.pi)) * (x + 0.044715 * x * x * x)))
        )
    if mode == "SIGMOID_APPROXIMATION":
        return np.asarray(x * sigmoid(1.702 * x))
    raise Refusal(f"`mode` is `{mode}`")


@evaluates("leaky_relu")
def leaky_relu(x: Real, alpha: float) -> Array:
    """Scales what is below 0."""
    return np.where(x >= 0, x, np.float32(alpha) * x)


@evaluates("linear_activation")
def linear_activation(x: Real, alpha: float, beta: float) -> Array:
    """Scales and shifts."""
    return x * np.float32(alpha) + np.float32(beta)


@evaluates("prelu")
def prelu(x: Real, alpha: Array) -> Array:
    """Scales what is below 0, each channel by its own factor."""
    return np.where(x > 0, x, per_channel(alpha, x, "alpha") * x)


@evaluates("scaled_tanh")
def scaled_tanh(x: Real, alpha: float, beta: float) -> Array:
    """Scales before and after the hyperbolic tangent."""
    return np.asarray(np.float32(alpha) * np.tanh(np.float32(beta) * x))


@evaluates("sigmoid")
def sigmoid(x: Real) -> Array:
    """Returns `1 / (1 + exp(-x))`, which never overflows in this form."""
    small = np.exp(-np.abs(x))
    return np.where(x >= 0, 1 / (1 + small), small / (1 + small)).astype(x.dtype)


@evaluates("sigmoid_hard")
def sigmoid_hard(x: Real, alpha: float, beta: float) -> Array:
    """Bounds a line to 0 and 1."""
    return np.asarray(np.minimum(np.maximum(np.float32(alpha) * x + np.float32(beta), 0), 1))


@evaluates("silu")
def silu(x: Real) -> Array:
    """Weighs by the sigmoid."""
    return np.asarray(x * sigmoid(x))


@evaluates("softplus")
def softplus(x: Real) -> Array:
    """Returns `log(1 + exp(x))`."""
    return np.asarray(np.logaddexp(x, np.float32(0)))


@evaluates("softplus_parametric")
def softplus_parametric(x: Real, alpha: Array, beta: Array) -> Array:
    """Returns `alpha * log(1 + exp(beta * x))`, each channel by its own numbers."""
    inner = np.logaddexp(per_channel(beta, x, "beta") * x, np.float32(0))
    return np.asarray(per_channel(alpha, x, "alpha") * inner)


@evaluates("softmax")
def softmax(x: Real, axis: int = -1) -> Array:
    """Normalises exponentials along an axis."""
    axis = normal(axis, x.ndim)
    powers = np.exp(x - x.max(axis, keepdims=True))
    return np.asarray(powers / powers.sum(axis, keepdims=True))


@evaluates("softsign")
def softsign(x: Real) -> Array:
    """Returns `x / (1 + |x|)`."""
    return np.asarray(x / (1 + np.abs(x)))


@evaluates("thresholded_relu")
def thresholded_relu(x: Real, alpha: float) -> Array:
    """Cuts off what is below `alpha`."""
    return np.where(x >= np.float32(alpha), x, np.float32(0))
