"""Reductions over any axes of tensors of any rank."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from edgekit.lowering.ledger import Shape, Value
from edgekit.lowering.tflite import sizes as sz
from edgekit.lowering.tflite.builder import TFLiteBuilder

_MAX_RANK = 6
"""XNNPACK, which takes reductions of float32 over, refuses more axes."""


def reduce(b: TFLiteBuilder, name: str, x: Value, axes: Sequence[int], *, keep: bool = True) -> Value:
    """Emits SUM, MEAN, REDUCE_PROD, REDUCE_MAX, REDUCE_MIN, REDUCE_ANY or REDUCE_ALL.

    Args:
        b: The builder.
        name: The TFLite op.
        x: The operand, of a dtype that the op has a kernel for.
        axes: Axes to reduce, not negative; none leave the operand as it is.
        keep: Whether reduced axes stay with size 1.
    """
    if not axes:
        return x
    if x.rank <= _MAX_RANK:
        return b.op(name, [x, b.ints(sorted(axes))], {"keep_dims": keep})
    return _in_steps(b, name, x, frozenset(axes), keep=keep)


def _in_steps(b: TFLiteBuilder, name: str, x: Value, axes: frozenset[int], *, keep: bool) -> Value:
    """Reduces each run of neighbouring axes on its own, as the middle one of three."""
    sizes = sz.sizes_of(b, x)
    for is_reduced, group in itertools.groupby(range(x.rank), axes.__contains__):
        run = list(group)
        if not is_reduced:
            continue
        around = sizes[: run[0]], sizes[run[0] : run[-1] + 1], sizes[run[-1] + 1 :]
        folded = sz.reshape(b, x, [sz.product(b, part) for part in around])
        x = b.op(name, [folded, b.ints([1])], {"keep_dims": False})
        sizes = [1 if i in run else s for i, s in enumerate(sizes)]
    return sz.reshape(b, x, [s for i, s in enumerate(sizes) if keep or i not in axes])


def reduced_shape(shape: Shape, axes: Sequence[int], *, keep: bool) -> Shape:
    """Returns the shape that a reduction leaves."""
    return tuple(1 if i in axes else d for i, d in enumerate(shape) if keep or i not in axes)
