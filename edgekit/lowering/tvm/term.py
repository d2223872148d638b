"""`Term`: formulas of values written with operators."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgekit.lowering.ledger import Value
from edgekit.lowering.tvm.builder import TVMBuilder


@dataclass(frozen=True, slots=True, eq=False)
class Term:
    """A value that operators apply to; numbers and arrays take its dtype.

    Attributes:
        b: The builder.
        value: The value.
    """

    b: TVMBuilder
    value: Value

    def __add__(self, other: Any) -> Term:
        return self.map("add", other)

    def __sub__(self, other: Any) -> Term:
        return self.map("subtract", other)

    def __mul__(self, other: Any) -> Term:
        return self.map("multiply", other)

    def __truediv__(self, other: Any) -> Term:
        return self.map("divide", other)

    def map(self, name: str, *others: Any, dtype: Any = None, **attrs: Any) -> Term:
        """Applies an elementwise op to this and other operands."""
        operands = [self.value, *(self._lift(o) for o in others)]
        return Term(self.b, self.b.map(name, *operands, dtype=dtype, **attrs))

    def _lift(self, other: Any) -> Value:
        if isinstance(other, Term):
            return other.value
        return other if isinstance(other, Value) else self.b.const(np.asarray(other).astype(self.value.dtype))

    def clip(self, low: float, high: float) -> Term:
        """Limits to [low, high]."""
        return self.map("maximum", low).map("minimum", high)

    def mean(self, axes: Sequence[int]) -> Term:
        """Averages axes, which stay with the size 1."""
        return Term(self.b, self.b.reduce("reduce_mean", self.value, axes))

    def sum(self, axes: Sequence[int]) -> Term:
        """Sums axes, which stay with the size 1."""
        return Term(self.b, self.b.reduce("reduce_sum", self.value, axes))

    def cast(self, dtype: Any) -> Term:
        """Converts the dtype."""
        return Term(self.b, self.b.cast(self.value, dtype))

    def per_channel(self, rank: int, axis: int = 1) -> Term:
        """Shapes a vector so that it runs along one axis of a tensor."""
        if self.value.rank == 0 or self.value.static_shape == (1,):
            return Term(self.b, self.b.reshape(self.value, ()))
        around = [i for i in range(rank) if i != axis]
        return Term(self.b, self.b.unsqueeze(self.value, around))
