"""NonMaxSuppression: boxes, order and number of results as ONNX Runtime's."""

from __future__ import annotations

import numpy as np
import pytest

SIZES = [(1, 1, 30), (2, 3, 40), (1, 4, 1), (3, 2, 20)]


@pytest.mark.parametrize("centres", [0, 1])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("coarse", [False, True], ids=["distinct", "equal-scores-and-empty-boxes"])
def test_selection(bench, rng, size, centres, coarse):
    batch, classes, count = size
    boxes = rng.random((batch, count, 4)).astype(np.float32)
    scores = rng.random((batch, classes, count)).astype(np.float32)
    if coarse:
        boxes, scores = np.round(boxes * 4) / 4, np.round(scores * 5) / 5
    for limit in (1, 100):
        for overlap in (0.0, 0.4, 1.0):
            for least in ([], [np.float32([0.3])]):
                operands = [boxes, scores, np.asarray([limit]), np.float32([overlap]), *least]
                bench.check("NonMaxSuppression", operands, {"center_point_box": centres}, const=(2, 3, 4))


def test_thresholds_known_at_run_time(bench, rng):
    boxes, scores = rng.random((1, 20, 4)).astype(np.float32), rng.random((1, 2, 20)).astype(np.float32)
    for overlap in (0.0, 0.5, 1.0):
        operands = [boxes, scores, np.asarray([5]), np.float32([overlap]), np.float32([0.2])]
        bench.check("NonMaxSuppression", operands)


def test_nothing_is_asked_for(bench, rng):
    boxes, scores = rng.random((1, 9, 4)).astype(np.float32), rng.random((1, 2, 9)).astype(np.float32)
    bench.check("NonMaxSuppression", [boxes, scores])
    bench.check("NonMaxSuppression", [boxes, scores, np.asarray([0])], const=(2,))


def test_nothing_passes_the_threshold(bench, rng):
    boxes, scores = rng.random((1, 9, 4)).astype(np.float32), rng.random((1, 2, 9)).astype(np.float32)
    operands = [boxes, scores, np.asarray([5]), np.float32([0.5]), np.float32([2])]
    bench.check("NonMaxSuppression", operands, const=(2, 3, 4))


def test_batch_known_at_run_time_is_refused(bench, rng):
    boxes, scores = rng.random((1, 9, 4)).astype(np.float32), rng.random((1, 2, 9)).astype(np.float32)
    assert "batches or classes" in bench.refused("NonMaxSuppression", [boxes, scores], dynamic=(0, 1))
