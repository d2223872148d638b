"""Says when the samples cannot tell a right artifact from a wrong one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgekit.artifact import Delta
from edgekit.runners import Array

_SATURATED = 1e-6


def weaknesses(delta: Delta, references: Sequence[Array]) -> tuple[str, ...]:
    """Returns why the comparison of an output proves little.

    Args:
        delta: The comparison.
        references: What the source model gave, one array per sample.
    """
    flat = [np.asarray(r).reshape(-1) for r in references]
    if not any(f.size for f in flat):
        return ("it is empty in all samples",)
    if references[0].dtype.kind in "OUS":
        return ()
    values = np.concatenate([f.astype(np.complex128 if f.dtype.kind == "c" else np.float64) for f in flat])
    if not np.isfinite(values).any():
        return ("the samples do not exercise it: it has no finite value",)
    if (values == values[0]).all():
        return (f"the samples do not exercise it: it is {_number(values[0])} everywhere",)
    notes = []
    if _is_saturated(references[0].dtype.kind, values):
        notes.append("the samples hardly exercise it: it is saturated, all values are 0 or 1")
    if len(flat) > 1 and all(np.array_equal(flat[0], f, equal_nan=True) for f in flat[1:]):
        notes.append("it is the same for all samples")
    if delta.limit and delta.low is not None and delta.high is not None:
        spread = delta.high - delta.low
        if 0 < spread <= 4 * delta.limit:
            notes.append(f"its whole range of {spread:.2g} is close to the limit of {delta.limit:.2g}")
    return tuple(notes)


def _is_saturated(kind: str, values: np.ndarray) -> bool:
    if kind in "iubc" or values.size < 2:
        return False
    distance = np.minimum(np.abs(values), np.abs(values - 1))
    return bool((distance < _SATURATED).all())


def _number(value: complex) -> str:
    return f"{value.real:g}" if value.imag == 0 else f"{value:g}"
