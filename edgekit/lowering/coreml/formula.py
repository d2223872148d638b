"""`Term`: arithmetic on values written as Python expressions, so that a lowering reads as its formula."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgekit.lowering.coreml.builder import CoreMlBuilder
from edgekit.lowering.ledger import Shape, Value


@dataclass(frozen=True, slots=True, eq=False)
class Term:
    """A value with the builder that computes on it.

    Operators take another term of the same dtype or a Python number, which becomes a constant of the
    term's own dtype. `/` is for floats, `//` and `%` round towards minus infinity.

    Attributes:
        b: The builder.
        value: The value.
    """

    b: CoreMlBuilder
    value: Value

    @property
    def shape(self) -> Shape:
        """The sizes of the value."""
        return self.value.shape

    def _of(self, other: Operand) -> Value:
        return other.value if isinstance(other, Term) else self.b.number(other, self.value)

    def with_(self, op: str, other: Operand) -> Term:
        """Applies a MIL op of two operands by its name."""
        return Term(self.b, self.b.binary(op, self.value, self._of(other)))

    def _after(self, op: str, other: float) -> Term:
        return Term(self.b, self.b.binary(op, self._of(other), self.value))

    def __add__(self, other: Operand) -> Term:
        return self.with_("add", other)

    def __radd__(self, other: float) -> Term:
        return self._after("add", other)

    def __sub__(self, other: Operand) -> Term:
        return self.with_("sub", other)

    def __rsub__(self, other: float) -> Term:
        return self._after("sub", other)

    def __mul__(self, other: Operand) -> Term:
        return self.with_("mul", other)

    def __rmul__(self, other: float) -> Term:
        return self._after("mul", other)

    def __truediv__(self, other: Operand) -> Term:
        return self.with_("real_div", other)

    def __rtruediv__(self, other: float) -> Term:
        return self._after("real_div", other)

    def __floordiv__(self, other: Operand) -> Term:
        return self.with_("floor_div", other)

    def __mod__(self, other: Operand) -> Term:
        return self.with_("mod", other)

    def __neg__(self) -> Term:
        return self * -1

    def __lt__(self, other: Operand) -> Term:
        return self.with_("less", other)

    def __le__(self, other: Operand) -> Term:
        return self.with_("less_equal", other)

    def __gt__(self, other: Operand) -> Term:
        return self.with_("greater", other)

    def __ge__(self, other: Operand) -> Term:
        return self.with_("greater_equal", other)

    def equals(self, other: Operand) -> Term:
        """Compares elementwise."""
        return self.with_("equal", other)

    def differs(self, other: Operand) -> Term:
        """Compares elementwise."""
        return self.with_("not_equal", other)

    def __and__(self, other: Term) -> Term:
        return self.with_("logical_and", other)

    def __or__(self, other: Term) -> Term:
        return self.with_("logical_or", other)

    def maximum(self, other: Operand) -> Term:
        """Takes the larger element."""
        return self.with_("maximum", other)

    def minimum(self, other: Operand) -> Term:
        """Takes the smaller element."""
        return self.with_("minimum", other)

    def unary(self, op: str, **params: Any) -> Term:
        """Applies a MIL op of one operand by its name."""
        return Term(self.b, self.b.op(op, x=self.value, **params))

    def abs(self) -> Term:
        """Takes absolute values."""
        return self.unary("abs")

    def exp(self) -> Term:
        """Takes the exponential."""
        return self.unary("exp")

    def log(self) -> Term:
        """Takes the natural logarithm; MIL adds an epsilon unless told not to."""
        return self.unary("log", epsilon=0.0)

    def sqrt(self) -> Term:
        """Takes the square root."""
        return self.unary("sqrt")

    def floor(self) -> Term:
        """Rounds towards minus infinity."""
        return self.unary("floor")

    def power(self, exponent: float) -> Term:
        """Raises to a constant power."""
        return self.with_("pow", exponent)

    def reduce(self, op: str, axes: Sequence[int], *, keep: bool = True) -> Term:
        """Reduces axes by a MIL op such as `reduce_sum`."""
        return Term(self.b, self.b.reduce(op, self.value, axes, keep=keep))

    def where(self, yes: Operand, no: Operand, dtype: Any = None) -> Term:
        """Chooses by this boolean term; `dtype` is needed where both choices are numbers."""
        known = next((v.value.dtype for v in (yes, no) if isinstance(v, Term)), dtype)
        picks = [
            v.value if isinstance(v, Term) else self.b.const(np.asarray(v).astype(known)) for v in (yes, no)
        ]
        return Term(self.b, self.b.select(self.value, *picks))

    def cast(self, dtype: Any) -> Term:
        """Converts the dtype as MIL's `cast` does."""
        return Term(self.b, self.b.cast(self.value, dtype))

    def reshape(self, shape: Shape) -> Term:
        """Reshapes, as `CoreMlBuilder.reshape` does."""
        return Term(self.b, self.b.reshape(self.value, shape))


Operand = Term | float
