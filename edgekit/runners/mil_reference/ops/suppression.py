"""Suppression of overlapping boxes. Rows that are left over are 0, their indices -1."""

from __future__ import annotations

import numpy as np

from edgekit.runners.mil_reference.ops.sorting import order
from edgekit.runners.mil_reference.refusal import claim, require
from edgekit.runners.mil_reference.table import evaluates
from edgekit.runners.mil_reference.types import Array

_TENSORS = ("boxes", "scores")


@evaluates("non_maximum_suppression", alike=_TENSORS)
def non_maximum_suppression_15(
    boxes: Array,
    scores: Array,
    iou_threshold: float,
    score_threshold: float,
    max_boxes: int,
    per_class_suppression: bool = False,
) -> tuple[Array, ...]:
    """Chooses from boxes `[N, B, 4]` by scores `[N, B, K]`; gives how many are chosen too."""
    return _suppressed(boxes, scores, iou_threshold, score_threshold, max_boxes, per_class_suppression)


@evaluates("non_maximum_suppression", since=17, alike=_TENSORS)
def non_maximum_suppression_17(
    boxes: Array, scores: Array, iou_threshold: float, max_boxes: int, per_class_suppression: bool = False
) -> tuple[Array, ...]:
    """Chooses from boxes `[N, 4, B]` by scores `[N, K, B]`."""
    require(boxes.ndim == scores.ndim == 3, "boxes and scores do not have the rank 3")
    turned = boxes.swapaxes(1, 2), scores.swapaxes(1, 2)
    kept, their, where, _ = _suppressed(*turned, iou_threshold, -np.inf, max_boxes, per_class_suppression)
    return kept.swapaxes(1, 2), their.swapaxes(1, 2), where


def _suppressed(
    boxes: Array, scores: Array, iou: float, threshold: float, most: int, by_class: bool
) -> tuple[Array, Array, Array, Array]:
    require(boxes.ndim == scores.ndim == 3 and boxes.shape[2] == 4, f"`boxes` is {list(boxes.shape)}")
    require(boxes.shape[:2] == scores.shape[:2], "boxes and scores differ in number")
    samples, _, classes = scores.shape
    claim((samples, most, max(classes, 4)))
    kept = np.zeros((samples, most, 4), np.float32)
    their = np.zeros((samples, most, classes), np.float32)
    where = np.full((samples, most), -1, np.int32)
    counts = np.zeros(samples, np.int32)
    for i in range(samples):
        best = scores[i].max(-1)
        groups = scores[i].argmax(-1) if by_class else np.zeros(len(best), np.int64)
        chosen = _chosen(boxes[i], best, groups, iou, threshold, most)
        require(bool(chosen), "no box has the score that is asked for; what is given then is not specified")
        n = len(chosen)
        kept[i, :n], their[i, :n], where[i, :n], counts[i] = boxes[i, chosen], scores[i, chosen], chosen, n
    return kept, their, where, counts


def _chosen(boxes: Array, scores: Array, groups: Array, iou: float, threshold: float, most: int) -> list[int]:
    chosen: list[int] = []
    for candidate in order(scores, 0, ascending=False).tolist():
        if len(chosen) == most or scores[candidate] < threshold:
            break
        rivals = [c for c in chosen if groups[c] == groups[candidate]]
        if not bool(np.any(_overlap(boxes[rivals], boxes[candidate]) > iou)):
            chosen.append(candidate)
    return chosen


def _overlap(many: Array, one: Array) -> Array:
    """Returns intersection over union; a box is its centre and its width and height."""
    low = np.maximum(many[:, :2] - many[:, 2:] / 2, one[:2] - one[2:] / 2)
    high = np.minimum(many[:, :2] + many[:, 2:] / 2, one[:2] + one[2:] / 2)
    common = np.maximum(high - low, 0).prod(-1)
    return np.asarray(common / (many[:, 2:].prod(-1) + one[2:].prod() - common))
