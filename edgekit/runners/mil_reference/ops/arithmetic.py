"""Ops of two tensors, element by element, with broadcasting; and `select`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from edgekit.runners.mil_reference.refusal import require
from edgekit.runners.mil_reference.table import evaluates
from edgekit.runners.mil_reference.types import Array

_BOTH = ("x", "y")


def _numeric(function: Callable[..., Any]) -> Callable[..., Array]:
    def evaluate(x: Array, y: Array) -> Array:
        require(x.dtype.kind in "fiu", f"it takes numbers, not {x.dtype}")
        return np.asarray(function(x, y))

    return evaluate


def _comparison(function: Callable[..., Any]) -> Callable[..., Array]:
    def evaluate(x: Array, y: Array) -> Array:
        require(x.dtype.kind in "fiub", f"it takes numbers, not {x.dtype}")
        return np.asarray(function(x, y))

    return evaluate


def _logical(function: Callable[..., Any]) -> Callable[..., Array]:
    def evaluate(x: Array, y: Array) -> Array:
        require(x.dtype == np.bool_, f"it takes bool, not {x.dtype}")
        return np.asarray(function(x, y))

    return evaluate


def _division(function: Callable[..., Any]) -> Callable[..., Array]:
    def evaluate(x: Array, y: Array) -> Array:
        require(x.dtype.kind in "fiu", f"it takes numbers, not {x.dtype}")
        require(x.dtype.kind == "f" or bool(np.all(y != 0)), "it divides an integer by 0")
        return np.asarray(function(x, y))

    return evaluate


_NUMERIC: dict[str, Callable[..., Any]] = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "maximum": np.maximum,
    "minimum": np.minimum,
}
_COMPARISONS: dict[str, Callable[..., Any]] = {
    "equal": np.equal,
    "not_equal": np.not_equal,
    "greater": np.greater,
    "greater_equal": np.greater_equal,
    "less": np.less,
    "less_equal": np.less_equal,
}
_LOGICAL: dict[str, Callable[..., Any]] = {
    "logical_and": np.logical_and,
    "logical_or": np.logical_or,
    "logical_xor": np.logical_xor,
}
for _table, _kind in ((_NUMERIC, _numeric), (_COMPARISONS, _comparison), (_LOGICAL, _logical)):
    for _name, _function in _table.items():
        evaluates(_name, alike=_BOTH)(_kind(_function))

evaluates("floor_div", alike=_BOTH)(_division(np.floor_divide))
evaluates("mod", alike=_BOTH)(_division(np.mod))


@evaluates("real_div", alike=_BOTH)
def real_div(x: Array, y: Array) -> Array:
    """Divides; how a quotient of integers is rounded is not specified, so those are refused."""
    require(x.dtype.kind == "f", f"its quotient of {x.dtype} is not specified")
    return np.asarray(x / y)


@evaluates("pow", alike=_BOTH)
def pow_(x: Array, y: Array) -> Array:
    """Raises to a power; integers only to powers that are integers."""
    require(x.dtype.kind == "f" or bool(np.all(y >= 0)), "it raises an integer to a negative power")
    return np.asarray(np.power(x, y))


@evaluates("select", alike=("a", "b"))
def select(cond: Array, a: Array, b: Array) -> Array:
    """Chooses from `a` where `cond` holds, else from `b`."""
    require(cond.dtype == np.bool_, f"`cond` is {cond.dtype} instead of bool")
    return np.where(cond, a, b)
