"""What small integer tensors hold, as expressions of sizes.

A model computes sizes with tensors: Shape, Gather, Concat, Reshape. Where such a chain is simple, the
emitter follows it, so that `N` stays `N` and nothing of it is computed at run time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from edgekit.lowering.ledger import Emitted, Value
from edgekit.lowering.tvm.adapter import Expr
from edgekit.lowering.tvm.kernels import sizes as sz

Sizes = list[Expr]
_LONGEST = 64
"""Longer tensors hold data, not sizes."""


class Contents:
    """Follows tensors of sizes back to the shapes that they come from.

    Attributes:
        shape_of: Gives the sizes of a value that is bound already.
    """

    def __init__(self, shape_of: Callable[[Value], Sequence[Expr]]) -> None:
        self.shape_of = shape_of
        self._made_by: dict[Value, Emitted] = {}
        self._known: dict[Value, Sizes | None] = {}

    def record(self, op: Emitted) -> None:
        """Remembers what makes a value."""
        self._made_by.update(dict.fromkeys(op.outputs, op))

    def of(self, value: Value) -> Sizes | None:
        """Returns the elements of an integer tensor of rank 0 or 1, or `None` if they are not known."""
        if value.data is not None:
            return [int(d) for d in value.data.reshape(-1)] if value.data.size <= _LONGEST else None
        if value not in self._known:
            self._known[value] = self._follow(value)
        return self._known[value]

    def _follow(self, value: Value) -> Sizes | None:
        op = self._made_by.get(value)
        if op is None or value.dtype.kind not in "iu" or value.rank > 1:
            return None
        if op.op == "shape_of":
            (x,) = (v for v in op.inputs if v is not None)
            return [sz.number(d) for d in self.shape_of(x)][op.attrs["start"] : op.attrs["end"]]
        rule = _RULES.get(op.op)
        if rule is None:
            return None
        operands = [None if v is None or v.dtype.kind not in "iu" else self.of(v) for v in op.inputs]
        return rule(operands, op)


def _same(operands: Sequence[Sizes | None], op: Emitted) -> Sizes | None:
    return operands[0]


def _cut(operands: Sequence[Sizes | None], op: Emitted) -> Sizes | None:
    return None if operands[0] is None else operands[0][op.attrs["begin"] : op.attrs["end"]]


def _gather(operands: Sequence[Sizes | None], op: Emitted) -> Sizes | None:
    indices = op.inputs[1]
    if operands[0] is None or indices is None or indices.data is None or op.attrs["axis"] != 0:
        return None
    return [operands[0][int(i)] for i in np.asarray(indices.data).reshape(-1)]


def _slice(operands: Sequence[Sizes | None], op: Emitted) -> Sizes | None:
    source, *bounds = operands
    if source is None or any(v is None or v.data is None for v in op.inputs[1:]):
        return None
    ((begin,), (end,), (step,)) = (b for b in bounds if b is not None)
    first, count = sz.slice_bounds(begin, end, step, len(source))
    return [source[first + i * step] for i in range(count)]


def _concat(operands: Sequence[Sizes | None], op: Emitted) -> Sizes | None:
    joined: Sizes = []
    for part in operands:
        if part is None:
            return None
        joined += part
    return joined


def _with(combine: Callable[[Expr, Expr], Expr]) -> Callable[[Sequence[Sizes | None], Emitted], Sizes | None]:
    def apply(operands: Sequence[Sizes | None], op: Emitted) -> Sizes | None:
        a, c = operands
        if a is None or c is None:
            return None
        count = max(len(a), len(c))
        a, c = (v * count if len(v) == 1 else v for v in (a, c))
        return [combine(x, y) for x, y in zip(a, c, strict=True)]

    return apply


_RULES: Mapping[str, Callable[[Sequence[Sizes | None], Emitted], Sizes | None]] = {
    **dict.fromkeys(("cast", "unsqueeze", "squeeze", "reshape"), _same),
    "cut": _cut,
    "gather": _gather,
    "slice": _slice,
    "concat": _concat,
    "add": _with(lambda x, y: x + y),
    "subtract": _with(lambda x, y: x - y),
    "multiply": _with(lambda x, y: x * y),
}
