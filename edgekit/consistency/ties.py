"""Recognises ties: indices that differ only because the scores they rank are equal within rounding."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from edgekit.artifact import Delta, Status
from edgekit.consistency.metrics import Pair
from edgekit.consistency.tolerance import Tolerance
from edgekit.ir import Model
from edgekit.runners import Array

# Ops through which indices pass with their order in memory unchanged.
_KEEPS_ORDER = frozenset(("Identity", "Cast", "Squeeze", "Unsqueeze", "Reshape", "Flatten"))


@dataclass(frozen=True, slots=True)
class Ranking:
    """Where indices come from.

    Attributes:
        op_type: `ArgMax`, `ArgMin` or `TopK`.
        scores: Name of the value that is ranked.
        axis: The axis that the indices run along.
    """

    op_type: str
    scores: str
    axis: int


def ranking_of(model: Model, output: str) -> Ranking | None:
    """Returns the ranking that an output holds the indices of, `None` if it holds something else.

    Args:
        model: The source model.
        output: Name of one of its outputs.
    """
    value = next((v for v in model.ir.graph.outputs if v.name == output), None)
    while value is not None:
        node = value.producer()
        if node is None or not node.inputs or node.inputs[0] is None:
            return None
        if node.op_type in ("ArgMax", "ArgMin") or (node.op_type == "TopK" and value is node.outputs[1]):
            axis = node.attributes.get("axis")
            default = -1 if node.op_type == "TopK" else 0
            return Ranking(node.op_type, node.inputs[0].name or "", default if axis is None else axis.value)
        value = node.inputs[0] if node.op_type in _KEEPS_ORDER else None
    return None


def settle(
    delta: Delta,
    ranking: Ranking,
    pairs: Sequence[Pair],
    scores_of: Callable[[int], Array | None],
    tolerance: Tolerance,
) -> Delta:
    """Turns a difference of indices into a tie where every one of them is one.

    Args:
        delta: The comparison of the indices.
        ranking: Where they come from.
        pairs: The indices of the source and the artifact, one pair per sample.
        scores_of: Gives the source's scores of a sample, `None` if they cannot be observed.
        tolerance: How far two scores may be apart to count as equal.

    Returns:
        The delta with the status `tie`, or as it was.
    """
    tied = total = 0
    for sample, (reference, actual) in enumerate(pairs):
        if actual is None or actual.shape != reference.shape:
            return delta
        total += reference.size
        if np.array_equal(reference, actual):
            continue
        scores = scores_of(sample)
        count = None if scores is None else _tied(ranking, reference, actual, scores, tolerance)
        if count is None:
            return delta
        tied += count
    note = f"{tied} of {total} indices differ where the scores are equal within the tolerance"
    return replace(delta, status=Status.TIE, reason=None, notes=(*delta.notes, note))


def _tied(
    ranking: Ranking, reference: Array, actual: Array, scores: Array, tolerance: Tolerance
) -> int | None:
    """Returns how many indices are tied, `None` if one of them is simply wrong."""
    axis = ranking.axis % scores.ndim if scores.ndim else 0
    moved = np.moveaxis(scores, axis, -1).astype(np.float64)
    lines = moved.reshape(-1, moved.shape[-1])
    per_line = _per_line(ranking, reference, moved.shape[:-1], axis)
    other = _per_line(ranking, actual, moved.shape[:-1], axis)
    if per_line is None or other is None or not np.isfinite(lines).all():
        return None
    count = lines.shape[1]
    if (other < -count).any() or (other >= count).any():
        return None
    if ranking.op_type == "TopK" and any(len(set(row)) < len(row) for row in other % count):
        return None
    gap = np.abs(np.take_along_axis(lines, per_line % count, 1) - np.take_along_axis(lines, other % count, 1))
    limit = tolerance.limit(float(lines.min()), float(lines.max()))
    return int(np.count_nonzero(per_line != other)) if (gap <= limit).all() else None


def _per_line(
    ranking: Ranking, indices: Array, outer: tuple[int, ...], axis: int
) -> np.ndarray[tuple[int, int], np.dtype[np.int64]] | None:
    """Lays the indices out as one row per line of scores; `None` if they do not fit."""
    lines = int(np.prod(outer))
    if not lines or indices.size % lines:
        return None
    width = indices.size // lines
    if ranking.op_type != "TopK":
        return indices.reshape(lines, 1).astype(np.int64) if width == 1 else None
    shape = (*outer[:axis], width, *outer[axis:])
    return np.moveaxis(indices.reshape(shape), axis, -1).reshape(lines, width).astype(np.int64)
