"""A reshape that only splits, merges, adds or drops axes commutes with a permutation of its parts.

The shapes are cut into segments: runs of input axes whose sizes multiply to a run of output axes.
A permutation that keeps the axes of each segment together and in order permutes whole segments,
and the reshape of the permuted tensor permutes the segments of the result in the same way. Axes
of size 1 hold no data and may lie anywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edgekit.lowering.ledger import Emitted, Shape, Value
from edgekit.lowering.tflite.layout.lemma import Lemmas, Rewrite, commutes
from edgekit.lowering.tflite.layout.perm import Perm, identity, permute

_UNKNOWN = 2**31 - 1
"""A prime that stands for the one size known only at run time."""


@dataclass(frozen=True, slots=True)
class Segment:
    """Axes of the input and axes of the output that hold the same elements in the same order."""

    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


def segments(before: Shape, after: Shape) -> list[Segment] | None:
    """Cuts a reshape into its smallest segments; axes of size 1 are in none.

    Returns:
        The segments in order; `None` if the sizes do not determine them (several unknown sizes, an
        empty tensor).
    """
    if 0 in before or 0 in after or before.count(None) > 1 or before.count(None) != after.count(None):
        return None
    a = [(i, _UNKNOWN if d is None else d) for i, d in enumerate(before) if d != 1]
    b = [(i, _UNKNOWN if d is None else d) for i, d in enumerate(after) if d != 1]
    result: list[Segment] = []
    while a or b:
        if not a or not b:
            return None
        left, right, i, j = a[0][1], b[0][1], 1, 1
        while left != right:
            if left < right and i < len(a):
                left, i = left * a[i][1], i + 1
            elif right < left and j < len(b):
                right, j = right * b[j][1], j + 1
            else:
                return None
        result.append(Segment(tuple(k for k, _ in a[:i]), tuple(k for k, _ in b[:j])))
        a, b = a[i:], b[j:]
    return result


def carry(perm: Perm, runs: Sequence[tuple[tuple[int, ...], tuple[int, ...]]], rank: int) -> Perm | None:
    """Carries a permutation of the `runs`' left axes over to their right axes.

    Args:
        perm: A permutation of the left side's axes.
        runs: Pairs of left axes and right axes, in order.
        rank: Number of axes of the right side.

    Returns:
        The permutation of the right side; `None` if `perm` tears a run apart or reorders it.
    """
    owner = {axis: k for k, (left, _) in enumerate(runs) for axis in left}
    order = [axis for axis in perm if axis in owner]
    result: list[int] = []
    while order:
        left, right = runs[owner[order[0]]]
        if tuple(order[: len(left)]) != left:
            return None
        result.extend(right)
        order = order[len(left) :]
    return _with_units(result, rank)


def _with_units(order: list[int], rank: int) -> Perm:
    """Puts the axes of size 1, which are in no run, behind the axis that they follow by number."""
    for axis in range(rank):
        if axis not in order:
            order.insert(order.index(axis - 1) + 1 if axis else 0, axis)
    return tuple(order)


def _form(op: Emitted, given: Perm, result: Perm, columns: tuple[int, ...] | None = None) -> Rewrite:
    y = op.outputs[0]
    sizes = [-1 if d is None else d for d in permute(y.shape, result)]
    shape = np.asarray(sizes, np.int32)
    operands = {1: Value(shape.dtype, shape.shape, shape)} if len(op.inputs) > 1 else {}
    attrs = {"new_shape": sizes} if "new_shape" in op.attrs else {}
    return Rewrite((given, *(None for _ in op.inputs[1:])), (result,), operands, attrs, columns)


def _is_plain(op: Emitted) -> bool:
    """The new shape is a constant with at most one size left open."""
    target = op.inputs[1] if len(op.inputs) > 1 else None
    return (target is None or target.data is not None) and op.outputs[0].shape.count(None) <= 1


def forward(op: Emitted, index: int, perm: Perm) -> Rewrite | None:
    """The form that takes the operand as `T(perm, .)`."""
    x, y = op.inputs[0], op.outputs[0]
    assert x is not None
    cut = segments(x.shape, y.shape)
    if index != 0 or cut is None or not _is_plain(op):
        return None
    result = carry(perm, [(s.inputs, s.outputs) for s in cut], y.rank)
    return None if result is None else _form(op, perm, result)


def backward(op: Emitted, index: int, perm: Perm) -> Rewrite | None:
    """The form that gives the result as `T(perm, .)`."""
    x, y = op.inputs[0], op.outputs[0]
    assert x is not None
    cut = segments(x.shape, y.shape)
    if cut is None or not _is_plain(op):
        return None
    given = carry(perm, [(s.outputs, s.inputs) for s in cut], x.rank)
    return None if given is None else _form(op, given, perm)


def flatten_columns(op: Emitted, perm: Perm) -> Rewrite | None:
    """The form of `[N, a, b, ..] -> [N, a*b*..]` on a permuted operand, its columns reordered.

    Args:
        op: A RESHAPE whose result is used by FULLY_CONNECTED alone.
        perm: A permutation that keeps the first axis first.

    Returns:
        The form with the `columns` that its consumers must take from their weights.
    """
    x, y = op.inputs[0], op.outputs[0]
    assert x is not None
    inner = x.shape[1:]
    known = tuple(d for d in inner if d is not None)
    if y.rank != 2 or perm[0] != 0 or len(known) != len(inner) or not _is_plain(op):
        return None
    if x.shape[0] != y.shape[0] or y.shape[1] != int(np.prod(known)):
        return None
    order = np.arange(y.shape[1]).reshape(known).transpose([k - 1 for k in perm[1:]])
    return _form(op, perm, identity(2), tuple(int(k) for k in order.reshape(-1)))


commutes("RESHAPE", lemmas=Lemmas(forward, backward))
