"""Ops of detectors on Core ML: suppression, maxima with their places, and images put together again."""

from __future__ import annotations

import numpy as np
import pytest


@pytest.mark.parametrize("centres", [0, 1])
@pytest.mark.parametrize("size", [(1, 1, 30), (2, 3, 40), (1, 4, 1)])
@pytest.mark.parametrize("coarse", [False, True], ids=["distinct", "equal-scores-and-empty-boxes"])
def test_selection(coreml, rng, size, centres, coarse):
    batch, classes, count = size
    boxes = rng.random((batch, count, 4)).astype(np.float32)
    scores = rng.random((batch, classes, count)).astype(np.float32)
    if coarse:
        boxes, scores = np.round(boxes * 4) / 4, np.round(scores * 5) / 5
    for limit, overlap, least in (
        (1, 0.4, []),
        (100, 0.0, []),
        (100, 0.4, [np.float32([0.4])]),
        (100, 1.0, [np.float32([0.4])]),
    ):
        operands = [boxes, scores, np.asarray([limit]), np.float32([overlap]), *least]
        coreml.check("NonMaxSuppression", operands, {"center_point_box": centres}, const=(2, 3, 4))


def test_thresholds_known_at_run_time(coreml, rng):
    boxes, scores = rng.random((1, 20, 4)).astype(np.float32), rng.random((1, 2, 20)).astype(np.float32)
    operands = [boxes, scores, np.asarray([5]), np.float32([0.5]), np.float32([0.2])]
    coreml.check("NonMaxSuppression", operands, const=(2,))


def test_a_score_at_the_threshold_does_not_count(coreml):
    boxes = np.array([[[0, 0, 1, 1], [2, 2, 3, 3]]], np.float32)
    scores = np.array([[[0.5, 0.6]]], np.float32)
    operands = [boxes, scores, np.asarray([9]), np.float32([0.5]), np.float32([0.5])]
    (found,) = coreml.check("NonMaxSuppression", operands, const=(2, 3, 4))
    assert found.tolist() == [[0, 0, 1]]


def test_nothing_is_asked_for(coreml, rng):
    boxes, scores = rng.random((1, 9, 4)).astype(np.float32), rng.random((1, 2, 9)).astype(np.float32)
    assert "no box is asked for" in coreml.refused("NonMaxSuppression", [boxes, scores])


@pytest.mark.parametrize(
    "attrs",
    [
        {"kernel_shape": [2, 2], "strides": [2, 2]},
        {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]},
        {"kernel_shape": [3, 2], "strides": [2, 1], "pads": [1, 0, 1, 1], "dilations": [2, 1]},
        {"kernel_shape": [2, 2], "strides": [2, 2], "storage_order": 1},
        {"kernel_shape": [3, 3], "strides": [2, 2], "ceil_mode": 1},
    ],
)
def test_places_of_maxima(coreml, rng, attrs):
    x = rng.integers(-4, 4, (2, 3, 7, 8)).astype(np.float32)  # many equal elements
    coreml.check("MaxPool", [x], attrs, outputs=2)


def test_places_of_maxima_of_other_ranks(coreml, rng):
    coreml.check("MaxPool", [rng.random((1, 2, 9), np.float32)], {"kernel_shape": [3]}, outputs=2)
    cube = rng.random((1, 2, 5, 5, 5), np.float32)
    coreml.check("MaxPool", [cube], {"kernel_shape": [2, 2, 2], "strides": [2, 2, 2]}, outputs=2)


def test_unpooling(coreml, rng):
    x = rng.random((1, 2, 2, 2)).astype(np.float32)
    places = np.array([[[[5, 6], [13, 15]], [[16, 19], [25, 31]]]])
    attrs = {"kernel_shape": [2, 2], "strides": [2, 2]}
    coreml.check("MaxUnpool", [x, places], attrs)
    assert "overlapping" in coreml.refused(
        "MaxUnpool", [x, places], {"kernel_shape": [3, 3], "strides": [2, 2]}
    )


@pytest.mark.parametrize(
    ("image", "block", "attrs"),
    [
        ([5, 5], [2, 3], {}),
        ([5, 6], [3, 3], {"pads": [1, 0, 2, 1], "strides": [2, 1]}),
        ([6, 6], [2, 2], {"dilations": [2, 3]}),
        ([4, 5, 3], [1, 2, 2], {}),
        ([9], [4], {"strides": [2]}),
    ],
)
def test_columns_become_an_image(coreml, rng, image, block, attrs):
    rank = len(image)
    pads, strides = attrs.get("pads", [0] * 2 * rank), attrs.get("strides", [1] * rank)
    dilations = attrs.get("dilations", [1] * rank)
    counts = [
        (image[i] + pads[i] + pads[i + rank] - (block[i] - 1) * dilations[i] - 1) // strides[i] + 1
        for i in range(rank)
    ]
    x = rng.random((2, 3 * int(np.prod(block)), int(np.prod(counts))), np.float32)
    coreml.check("Col2Im", [x, np.asarray(image), np.asarray(block)], attrs, const=(1, 2))


@pytest.mark.parametrize("shape", [(2, 2), (3, 3, 3), (2, 5, 4, 4)])
def test_determinants(coreml, rng, shape):
    coreml.check("Det", [rng.random(shape, np.float32)], atol=1e-5)
    assert "5 x 5" in coreml.refused("Det", [rng.random((5, 5), np.float32)])


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize(("group", "offset_group"), [(1, 1), (2, 2), (1, 2)])
def test_deformable_convolution(coreml, rng, masked, group, offset_group):
    x = rng.random((2, 4, 6, 6), np.float32)
    w = rng.standard_normal((6, 4 // group, 3, 3)).astype(np.float32)
    offset = rng.uniform(-2, 2, (2, offset_group * 18, 3, 3)).astype(np.float32)
    bias = rng.random(6, np.float32)
    mask = [rng.random((2, offset_group * 9, 3, 3), np.float32)] if masked else []
    attrs = {"group": group, "offset_group": offset_group, "strides": [2, 2], "pads": [1, 1, 1, 1]}
    coreml.check("DeformConv", [x, w, offset, bias, *mask], attrs, const=(1, 3), atol=1e-5, opset=22)
