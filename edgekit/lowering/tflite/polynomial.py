"""Polynomials on terms."""

from __future__ import annotations

from collections.abc import Sequence

from edgekit.lowering.tflite.formula import Term


def horner(x: Term, coefficients: Sequence[float]) -> Term:
    """Evaluates `c[0] + c[1] x + c[2] x**2 + ...` by Horner's scheme."""
    result = x * coefficients[-1] + coefficients[-2]
    for c in reversed(coefficients[:-2]):
        result = result * x + c
    return result
