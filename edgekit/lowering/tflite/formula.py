"""`Term`: arithmetic on values written as Python expressions, so that a lowering reads as its formula."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.lowering.ledger import Shape, Value
from edgekit.lowering.tflite.builder import TFLiteBuilder

_FOLD: Mapping[str, Callable[..., Any]] = {
    "ADD": np.add,
    "SUB": np.subtract,
    "MUL": np.multiply,
    "DIV": np.divide,
    "MAXIMUM": np.maximum,
    "MINIMUM": np.minimum,
    "NEG": np.negative,
    "ABS": np.abs,
    "EXP": np.exp,
    "LOG": np.log,
    "SQRT": np.sqrt,
    "FLOOR": np.floor,
    "CEIL": np.ceil,
    "TANH": np.tanh,
    "ROUND": np.round,
}
"""Ops that are computed at once where every operand is a constant."""


@dataclass(frozen=True, slots=True, eq=False)
class Term:
    """A value with the builder that computes on it.

    Operators take another term of the same dtype or a Python number, which becomes a constant of
    the term's own dtype. Division is for floats.

    Attributes:
        b: The builder.
        value: The value.
    """

    b: TFLiteBuilder
    value: Value

    @property
    def shape(self) -> Shape:
        """The sizes of the value."""
        return self.value.shape

    def _of(self, other: Operand) -> Value:
        return other.value if isinstance(other, Term) else self.b.scalar(other, self.value)

    def _apply(self, name: str, *operands: Value) -> Term:
        fold = _FOLD.get(name)
        constants = [v.data for v in operands if v.data is not None]
        if fold is not None and len(constants) == len(operands):
            with np.errstate(all="ignore"):
                return Term(self.b, self.b.const(fold(*constants), operands[0].dtype))
        if len(operands) == 1:
            return Term(self.b, self.b.unary(name, operands[0]))
        return Term(self.b, self.b.binary(name, *operands))

    def __add__(self, other: Operand) -> Term:
        return self._apply("ADD", self.value, self._of(other))

    def __radd__(self, other: float) -> Term:
        return self._apply("ADD", self._of(other), self.value)

    def __sub__(self, other: Operand) -> Term:
        return self._apply("SUB", self.value, self._of(other))

    def __rsub__(self, other: float) -> Term:
        return self._apply("SUB", self._of(other), self.value)

    def __mul__(self, other: Operand) -> Term:
        return self._apply("MUL", self.value, self._of(other))

    def __rmul__(self, other: float) -> Term:
        return self._apply("MUL", self._of(other), self.value)

    def __truediv__(self, other: Operand) -> Term:
        return self._apply("DIV", self.value, self._of(other))

    def __rtruediv__(self, other: float) -> Term:
        return self._apply("DIV", self._of(other), self.value)

    def __neg__(self) -> Term:
        return self._apply("NEG", self.value)

    def __lt__(self, other: Operand) -> Term:
        return self._apply("LESS", self.value, self._of(other))

    def __le__(self, other: Operand) -> Term:
        return self._apply("LESS_EQUAL", self.value, self._of(other))

    def __gt__(self, other: Operand) -> Term:
        return self._apply("GREATER", self.value, self._of(other))

    def __ge__(self, other: Operand) -> Term:
        return self._apply("GREATER_EQUAL", self.value, self._of(other))

    def equals(self, other: Operand) -> Term:
        """Compares elementwise."""
        return self._apply("EQUAL", self.value, self._of(other))

    def __and__(self, other: Term) -> Term:
        return self._apply("LOGICAL_AND", self.value, other.value)

    def __or__(self, other: Term) -> Term:
        return self._apply("LOGICAL_OR", self.value, other.value)

    def maximum(self, other: Operand) -> Term:
        """Takes the larger element."""
        return self._apply("MAXIMUM", self.value, self._of(other))

    def minimum(self, other: Operand) -> Term:
        """Takes the smaller element."""
        return self._apply("MINIMUM", self.value, self._of(other))

    def clip(self, low: float, high: float) -> Term:
        """Limits elements to [low, high]."""
        return self.maximum(low).minimum(high)

    def power(self, exponent: float) -> Term:
        """Raises to a constant power."""
        return self._apply("POW", self.value, self._of(exponent))

    def unary(self, name: str) -> Term:
        """Applies an elementwise op of one operand by its TFLite name."""
        return self._apply(name, self.value)

    def abs(self) -> Term:
        """Takes absolute values."""
        return self.unary("ABS")

    def exp(self) -> Term:
        """Takes the exponential."""
        return self.unary("EXP")

    def log(self) -> Term:
        """Takes the natural logarithm."""
        return self.unary("LOG")

    def sqrt(self) -> Term:
        """Takes the square root."""
        return self.unary("SQRT")

    def floor(self) -> Term:
        """Rounds towards minus infinity."""
        return self.unary("FLOOR")

    def reduce(self, name: str, axes: Sequence[int], *, keep: bool = True) -> Term:
        """Reduces axes with SUM, MEAN, REDUCE_MAX, REDUCE_MIN or REDUCE_PROD."""
        attrs = {"keep_dims": keep}
        return Term(self.b, self.b.op(name, [self.value, self.b.ints(list(axes))], attrs))

    def where(self, yes: Operand, no: Operand, dtype: Any = None) -> Term:
        """Chooses by this boolean term; `dtype` is needed where both choices are numbers."""
        known = next((v.value.dtype for v in (yes, no) if isinstance(v, Term)), dtype)
        picks = [v.value if isinstance(v, Term) else self.b.const(v, known) for v in (yes, no)]
        return Term(self.b, self.b.op("SELECT_V2", [self.value, *picks]))

    def gather(self, indices: NDArray[Any] | Sequence[int], axis: int) -> Term:
        """Picks elements along an axis by constant indices, which are in range."""
        value, places = self.value, np.asarray(indices, np.int32)
        if value.data is not None:
            return Term(self.b, self.b.const(np.take(value.data, places, axis)))
        shape = (*value.shape[:axis], *places.shape, *value.shape[axis + 1 :])
        attrs = {"axis": axis, "batch_dims": 0}
        picks = [value, self.b.const(places)]
        return Term(self.b, self.b.op("GATHER", picks, attrs, dtype=value.dtype, shape=shape))

    def cast(self, dtype: Any) -> Term:
        """Converts the dtype."""
        return Term(self.b, self.b.cast(self.value, dtype))

    def reshape(self, shape: Shape) -> Term:
        """Reshapes, as `TFLiteBuilder.reshape` does."""
        return Term(self.b, self.b.reshape(self.value, shape))

    def transpose(self, perm: Sequence[int]) -> Term:
        """Permutes the axes."""
        return Term(self.b, self.b.transpose(self.value, perm))


Operand = Term | float


def constant(b: TFLiteBuilder, data: NDArray[Any] | float, dtype: Any = np.float32) -> Term:
    """Makes a constant term."""
    return Term(b, b.const(np.asarray(data, dtype)))
