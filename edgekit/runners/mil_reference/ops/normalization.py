"""Normalisations."""

from __future__ import annotations

import numpy as np

from edgekit.runners.mil_reference.ops.axes import normal_all, per_channel
from edgekit.runners.mil_reference.refusal import require
from edgekit.runners.mil_reference.table import Ints, Real, evaluates
from edgekit.runners.mil_reference.types import Array


@evaluates("batch_norm")
def batch_norm(
    x: Real,
    mean: Real,
    variance: Real,
    gamma: Array | None = None,
    beta: Array | None = None,
    epsilon: float = 1e-5,
) -> Array:
    """Normalises each channel by statistics that are given."""
    root = np.sqrt(per_channel(variance, x, "variance") + np.float32(epsilon))
    result = (x - per_channel(mean, x, "mean")) / root
    return _scaled(result, gamma, beta)


@evaluates("instance_norm")
def instance_norm(
    x: Real, gamma: Array | None = None, beta: Array | None = None, epsilon: float = 1e-5
) -> Array:
    """Normalises each channel of each sample by its own statistics."""
    require(3 <= x.ndim <= 4, f"x has the rank {x.ndim}")
    return _scaled(_standard(x, tuple(range(2, x.ndim)), epsilon), gamma, beta)


@evaluates("layer_norm")
def layer_norm(
    x: Real,
    axes: Ints | None = None,
    gamma: Array | None = None,
    beta: Array | None = None,
    epsilon: float = 1e-5,
) -> Array:
    """Normalises along axes; `gamma` and `beta` have the sizes of these axes."""
    chosen = tuple(range(x.ndim)) if axes is None else normal_all(axes, x.ndim)
    result = _standard(x, chosen, epsilon)
    if gamma is not None:
        result = result * _over(gamma, x, chosen, "gamma")
    return result if beta is None else result + _over(beta, x, chosen, "beta")


@evaluates("l2_norm")
def l2_norm(x: Real, epsilon: float = 1e-6) -> Array:
    """Divides by the root of the sum of squares over the last three axes."""
    require(x.ndim >= 3, f"x has the rank {x.ndim}")
    return np.asarray(x / np.sqrt(np.square(x).sum((-3, -2, -1), keepdims=True) + np.float32(epsilon)))


@evaluates("local_response_norm")
def local_response_norm(x: Real, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> Array:
    """Divides by the squares of neighbouring channels."""
    require(3 <= x.ndim <= 4, f"x has the rank {x.ndim}")
    require(
        size >= 1 and size % 2 == 1, f"which channels are the neighbours of `size` {size} is not specified"
    )
    channels = x.shape[1]
    squares, sums = np.square(x), np.zeros_like(x)
    for offset in range(-(size // 2), size // 2 + 1):
        low, high = max(0, -offset), min(channels, channels - offset)
        if low < high:
            sums[:, low:high] += squares[:, low + offset : high + offset]
    return np.asarray(x / np.power(np.float32(k) + np.float32(alpha / size) * sums, np.float32(beta)))


def _standard(x: Array, axes: tuple[int, ...], epsilon: float) -> Array:
    centred = x - x.mean(axes, keepdims=True)
    variance = np.square(centred).mean(axes, keepdims=True)
    return np.asarray(centred / np.sqrt(variance + np.float32(epsilon)))


def _scaled(x: Array, gamma: Array | None, beta: Array | None) -> Array:
    if gamma is not None:
        x = x * per_channel(gamma, x, "gamma")
    return x if beta is None else x + per_channel(beta, x, "beta")


def _over(factor: Array, x: Array, axes: tuple[int, ...], name: str) -> Array:
    sizes = tuple(x.shape[a] for a in axes)
    require(factor.shape == sizes, f"`{name}` has the shape {list(factor.shape)} instead of {list(sizes)}")
    order = np.argsort(axes)
    return factor.transpose(order).reshape([x.shape[i] if i in axes else 1 for i in range(x.ndim)])
