"""The detector's output maps: writing targets into the grid, and reading detections out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .scenes import SIZE
from .spec import FloatArray, IntArray

CLASSES = 10
BACKGROUND = CLASSES
GRID = 6
CELL = SIZE // GRID
SCORE = 0.5
IOU = 0.5


@dataclass(frozen=True, slots=True)
class Detection:
    """A digit found: its class, its box (left, top, right, bottom) in pixels, its score."""

    label: int
    box: tuple[float, float, float, float]
    score: float


def targets(labels: IntArray) -> tuple[IntArray, FloatArray]:
    """Write labels [n, 3, 5] into class maps [n, 6, 6] and box maps [n, 4, 6, 6].

    The cell that holds a box's centre is responsible for it. Its four values are the centre
    within the cell (x, y; 0..1) and the width and height as parts of the picture.
    """
    classes: IntArray = np.full((len(labels), GRID, GRID), BACKGROUND, np.int64)
    boxes: FloatArray = np.zeros((len(labels), 4, GRID, GRID), np.float32)
    for scene, rows in enumerate(labels):
        for label, left, top, right, bottom in rows[rows[:, 0] >= 0]:
            x, y = (left + right) / 2 / CELL, (top + bottom) / 2 / CELL
            column, row = int(x), int(y)
            classes[scene, row, column] = label
            boxes[scene, :, row, column] = (
                x - column,
                y - row,
                (right - left) / SIZE,
                (bottom - top) / SIZE,
            )
    return classes, boxes


def detections(classes: FloatArray, boxes: FloatArray) -> list[Detection]:
    """Read one scene's maps, class logits [11, 6, 6] and boxes [4, 6, 6], best first.

    A cell counts when its best digit has a softmax probability of at least 0.5. Of boxes that
    overlap by an IoU above 0.5, the best stays.
    """
    exponents = np.exp(classes - classes.max(axis=0))
    digit = (exponents / exponents.sum(axis=0))[:BACKGROUND]
    found = []
    for row, column in zip(*np.nonzero(digit.max(axis=0) >= SCORE), strict=True):
        dx, dy, width, height = (float(v) for v in boxes[:, row, column])
        x, y = (column + dx) * CELL, (row + dy) * CELL
        half_w, half_h = width * SIZE / 2, height * SIZE / 2
        box = (x - half_w, y - half_h, x + half_w, y + half_h)
        scores = digit[:, row, column]
        found.append(Detection(int(scores.argmax()), box, float(scores.max())))
    return _without_doubles(sorted(found, key=lambda d: -d.score))


def _without_doubles(found: list[Detection]) -> list[Detection]:
    kept: list[Detection] = []
    for candidate in found:
        if all(iou(candidate.box, other.box) <= IOU for other in kept):
            kept.append(candidate)
    return kept


def iou(a: tuple[float, ...], b: tuple[float, ...]) -> float:
    """Intersection over union of two boxes (left, top, right, bottom)."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    shared = max(width, 0.0) * max(height, 0.0)
    areas = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1])
    return shared / (areas - shared)
