"""Ops of one tensor, element by element."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from edgekit.runners.mil_reference.ops.erf import erf
from edgekit.runners.mil_reference.refusal import require
from edgekit.runners.mil_reference.table import Number, evaluates
from edgekit.runners.mil_reference.types import Array


def _of(function: Callable[..., Any], kinds: str) -> Callable[..., Array]:
    def evaluate(x: Array) -> Array:
        require(x.dtype.kind in kinds, f"it does not take {x.dtype}")
        return np.asarray(function(x))

    return evaluate


_OF_FLOATS: dict[str, Callable[..., Any]] = {
    "acos": np.arccos,
    "asin": np.arcsin,
    "atan": np.arctan,
    "atanh": np.arctanh,
    "ceil": np.ceil,
    "cos": np.cos,
    "cosh": np.cosh,
    "erf": erf,
    "exp": np.exp,
    "floor": np.floor,
    "round": np.round,  # halves to even
    "sin": np.sin,
    "sinh": np.sinh,
    "sqrt": np.sqrt,
    "tan": np.tan,
    "tanh": np.tanh,
}
for _name, _function in _OF_FLOATS.items():
    evaluates(_name)(_of(_function, "f"))

_OF_NUMBERS: dict[str, Callable[..., Any]] = {"abs": np.abs, "sign": np.sign, "square": np.square}
for _name, _function in _OF_NUMBERS.items():
    evaluates(_name)(_of(_function, "fiu"))

evaluates("exp2")(_of(np.exp2, "f"))
evaluates("logical_not")(_of(np.logical_not, "b"))


@evaluates("clip", alike=("x", "alpha", "beta"))
def clip(x: Array, alpha: Number, beta: Number) -> Array:
    """Bounds from both sides."""
    return np.minimum(np.maximum(x, alpha), beta)


@evaluates("threshold", alike=("x", "alpha"))
def threshold(x: Array, alpha: Number) -> Array:
    """Bounds from below."""
    return np.maximum(x, alpha)


@evaluates("inverse")
def inverse(x: Array, epsilon: float = 1e-4) -> Array:
    """Takes the reciprocal of `x + epsilon`."""
    return np.asarray(1 / (x + np.float32(epsilon)))


@evaluates("log")
def log(x: Array, epsilon: float = 1e-45) -> Array:
    """Takes the logarithm of `x + epsilon`."""
    return np.asarray(np.log(x + np.float32(epsilon)))


@evaluates("rsqrt")
def rsqrt(x: Array, epsilon: float = 1e-12) -> Array:
    """Takes the reciprocal root of `x + epsilon`."""
    return np.asarray(1 / np.sqrt(x + np.float32(epsilon)))
