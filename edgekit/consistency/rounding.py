"""Recognises the source's own rounding: a model that amplifies it has no single float32 answer.

Two correct float32 runtimes sum in different orders. Where a model amplifies the difference (a logarithm of
what cancelled, a layer that divides by a small variance), they differ by more than the usual tolerance. So
it is measured how far the source itself moves when its roundings are drawn anew (see `perturbed`). Over a
score of real networks, a correct artifact differs by 0.3 to 2.5 times that; wrong ones by hundreds. It is
accepted up to `FACTOR` times, in the largest element and in the root of the mean square, and never beyond
`CEILING` of the range.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import onnx_ir as ir

from edgekit.artifact import Delta, Status
from edgekit.consistency.metrics import Pair
from edgekit.consistency.perturbed import PerturbedSource, is_small_enough
from edgekit.ir import Model
from edgekit.passes.edit import is_constant
from edgekit.runners import Array

FACTOR = 4.0
CEILING = 0.02
"""Of the range: a larger error is reported, whatever the source does."""

_STEPWISE = frozenset(
    ("QuantizeLinear", "DynamicQuantizeLinear", "DequantizeLinear", "QLinearConv", "QLinearMatMul")
)
"""A rounding that falls on the other side is a whole step there; see `steps`."""


def can_judge(model: Model) -> bool:
    """Tells whether a model's roundings can be drawn anew, and add up to something smooth."""
    nodes = ir.traversal.RecursiveGraphIterator(model.ir.graph)
    return is_small_enough(model) and not any(n.domain or _is_stepwise(n) for n in nodes)


def _is_stepwise(node: ir.Node) -> bool:
    """Weights that are dequantised are numbers like others."""
    of_constant = node.op_type == "DequantizeLinear" and is_constant(node.inputs[0])
    return node.op_type in _STEPWISE and not of_constant


def settle(delta: Delta, pairs: Sequence[Pair], source: PerturbedSource) -> Delta:
    """Turns a difference into `rounding` if the source's own roundings explain it.

    Args:
        delta: The comparison of a float32 output.
        pairs: The output of the source and the artifact, one pair per sample.
        source: The source with its roundings drawn anew.

    Returns:
        The delta with the status `rounding`, or as it was, with a note where that could not be judged.
    """
    if delta.dtype != "float32" or delta.limit is None or delta.low is None or delta.high is None:
        return delta
    error = noise = _Size()
    samples = 0
    for sample, (reference, actual) in enumerate(pairs):
        if actual is None or not _alike(reference, actual):
            return delta
        off = _gap(actual, reference)
        if np.max(off, initial=0.0) <= delta.limit:
            continue
        trials = [trial.get(delta.tensor) for trial in source.outputs(sample)]
        if not trials or source.problem:
            return replace(delta, notes=(*delta.notes, source.problem or "its own rounding is not known"))
        samples += 1
        error = error.and_of(off)
        for trial in trials:
            if trial is None or not _alike(reference, trial):
                return delta
            noise = noise.and_of(_gap(trial, reference))
    spread = delta.high - delta.low
    if not error.within(noise, FACTOR) or error.largest > CEILING * spread:
        return delta
    note = (
        f"on {samples} of {len(pairs)} samples it is off by {error.largest:.2g}, where other roundings of "
        f"float32 move the source itself by {noise.largest:.2g}"
    )
    return replace(delta, status=Status.ROUNDING, reason=None, notes=(*delta.notes, note))


@dataclass(frozen=True, slots=True)
class _Size:
    """How large errors are.

    Attributes:
        largest: The largest of them.
        squares: Sum of their squares.
        count: How many there are.
    """

    largest: float = 0.0
    squares: float = 0.0
    count: int = 0

    def and_of(self, errors: Array) -> _Size:
        """Returns the size of these errors and more."""
        largest = max(self.largest, float(np.max(errors, initial=0.0)))
        return _Size(largest, self.squares + float(np.sum(errors**2)), self.count + errors.size)

    def within(self, other: _Size, factor: float) -> bool:
        """Tells whether these errors are at most some times as large as others."""
        mine, theirs = (math.sqrt(s.squares / max(1, s.count)) for s in (self, other))
        return self.largest <= factor * other.largest and mine <= factor * theirs


def _gap(a: Array, b: Array) -> Array:
    """Absolute differences in float64, where both are finite."""
    finite = np.isfinite(a) & np.isfinite(b)
    return np.abs(a[finite].astype(np.float64) - b[finite])


def _alike(a: Array, b: Array) -> bool:
    """Tells whether two arrays have one shape, and NaN and the infinities at the same places."""
    if a.shape != b.shape:
        return False
    same = np.isfinite(a) | (a == b) | (np.isnan(a) & np.isnan(b))
    return bool(same.all() and np.array_equal(np.isfinite(a), np.isfinite(b)))
