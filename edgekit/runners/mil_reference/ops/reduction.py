"""Reductions along axes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from edgekit.runners.mil_reference.ops.axes import normal, normal_all
from edgekit.runners.mil_reference.refusal import require
from edgekit.runners.mil_reference.table import Ints, evaluates
from edgekit.runners.mil_reference.types import Array

_Fold = Callable[[Array, tuple[int, ...]], Any]
"""`(x, axes) -> result`, the axes kept with one element."""


def _reduction(fold: _Fold) -> Callable[..., Array]:
    def evaluate(x: Array, axes: Ints | None = None, keep_dims: bool = False) -> Array:
        chosen = tuple(range(x.ndim)) if axes is None else normal_all(axes, x.ndim)
        result = np.asarray(fold(x, chosen)).astype(x.dtype)
        return result if keep_dims else result.squeeze(chosen)

    return evaluate


def _log_sum_exp(x: Array, axes: tuple[int, ...]) -> Any:
    peak = x.max(axes, keepdims=True)
    shift = np.where(np.isfinite(peak), peak, 0)
    return np.log(np.exp(x - shift).sum(axes, keepdims=True)) + shift


for _name, _fold in {
    "reduce_l1_norm": lambda x, axes: np.abs(x).sum(axes, keepdims=True),
    "reduce_l2_norm": lambda x, axes: np.sqrt(np.square(x).sum(axes, keepdims=True)),
    "reduce_log_sum": lambda x, axes: np.log(x.sum(axes, keepdims=True)),
    "reduce_log_sum_exp": _log_sum_exp,
    "reduce_max": lambda x, axes: x.max(axes, keepdims=True),
    "reduce_mean": lambda x, axes: x.mean(axes, keepdims=True),
    "reduce_min": lambda x, axes: x.min(axes, keepdims=True),
    "reduce_prod": lambda x, axes: x.prod(axes, keepdims=True),
    "reduce_sum": lambda x, axes: x.sum(axes, keepdims=True),
    "reduce_sum_square": lambda x, axes: np.square(x).sum(axes, keepdims=True),
}.items():
    evaluates(_name)(_reduction(_fold))


def _first_index(find: Callable[..., Any], x: Array, axis: int, keep_dims: bool, dtype: str) -> Array:
    require(dtype in ("int32", "uint16"), f"`output_dtype` is `{dtype}`")
    axis = normal(axis, x.ndim)
    return np.asarray(find(x, axis, keepdims=keep_dims)).astype(dtype)


def _arg_15(find: Callable[..., Any]) -> Callable[..., Array]:
    def evaluate(x: Array, axis: int = -1, keep_dims: bool = False) -> Array:
        return _first_index(find, x, axis, keep_dims, "int32")

    return evaluate


def _arg_17(find: Callable[..., Any]) -> Callable[..., Array]:
    def evaluate(x: Array, axis: int = -1, keep_dims: bool = False, output_dtype: str = "int32") -> Array:
        return _first_index(find, x, axis, keep_dims, output_dtype)

    return evaluate


# Among equal numbers this takes the first; a device may take another.
evaluates("reduce_argmax")(_arg_15(np.argmax))
evaluates("reduce_argmin")(_arg_15(np.argmin))
evaluates("reduce_argmax", since=17)(_arg_17(np.argmax))
evaluates("reduce_argmin", since=17)(_arg_17(np.argmin))
