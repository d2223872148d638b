"""Exact integer sums of products on float32 kernels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from edgekit.lowering.op import Unlowerable
from edgekit.lowering.tflite.formula import Term

EXACT = 2**24
"""Below this magnitude every integer is a float32, so float32 kernels sum integers exactly."""
BASE = 16
"""The base of the digits into which operands are split where their products are too large."""

Multiply = Callable[[Term, Term], Term]
"""A bilinear op on float32 operands: a matrix product or a convolution."""


@dataclass(frozen=True, slots=True)
class Bounded:
    """Integers in float32 with a limit on their magnitude."""

    term: Term
    limit: int

    @classmethod
    def of(cls, term: Term) -> Bounded:
        """Bounds the difference of two 8-bit integers; the limit of a constant is its own."""
        data = term.value.data
        return cls(term, 255 if data is None else int(np.abs(data).max(initial=0)))

    def digits(self) -> tuple[Bounded, Bounded]:
        """Returns (low, high) with `x = low + BASE * high`."""
        high = (self.term * (1 / BASE)).floor()
        return Bounded(self.term - high * BASE, BASE - 1), Bounded(high, self.limit // BASE + 1)


def exact_sum(x: Term, w: Term, terms: int, multiply: Multiply) -> Term:
    """Sums products of integers without rounding.

    Where `terms` products could reach 2**24, operands are split into a low and a high digit, whose
    products are summed by float32 kernels, cast, and put together in int32.

    Args:
        x: Integers in [-255, 255] in float32.
        w: Integers in [-255, 255] in float32.
        terms: How many products are summed into one element.
        multiply: Computes the sums.

    Returns:
        The sums in int32.

    Raises:
        Unlowerable: If even the digits' products could reach 2**24.
    """
    left, right = (Bounded.of(x),), (Bounded.of(w),)
    choices = ((left, right), (left[0].digits(), right), (left[0].digits(), right[0].digits()))
    for xs, ws in choices:
        if terms * max(p.limit for p in xs) * max(p.limit for p in ws) < EXACT:
            parts = [
                (multiply(p.term, q.term).cast(np.int32), BASE ** (i + j))
                for i, p in enumerate(xs)
                for j, q in enumerate(ws)
            ]
            total = parts[0][0]
            for part, weight in parts[1:]:
                total = total + part * weight
            return total
    raise Unlowerable(f"sums of {terms} products, which float32 cannot hold exactly")
