"""Resizing and sampling."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edgekit.runners.mil_reference.refusal import Refusal

from .ops import floats, ints, refused, run

LINE = floats([[[0, 1]]])


@pytest.mark.parametrize(
    ("mode", "wanted"),
    [
        ("STRICT_ALIGN_CORNERS", [0, 0.25, 0.5, 0.75, 1]),
        ("ALIGN_CORNERS", [0, 0.25, 0.5, 0.75, 1]),
        ("DEFAULT", [0, 0.4, 0.8, 1, 1]),
        ("OFFSET_CORNERS", [0.1, 0.3, 0.5, 0.7, 0.9]),
        ("UNALIGN_CORNERS", [0, 0.1, 0.5, 0.9, 1]),
    ],
)
def test_bilinear(mode: str, wanted: list[float]) -> None:
    found = run("resize_bilinear", x=LINE, target_size_height=1, target_size_width=5, sampling_mode=mode)
    np.testing.assert_allclose(found[0, 0], wanted, atol=1e-6)
    found = run("resize", 17, x=LINE, shape=[0, 5], resized_dims=2, sampling_mode=mode)
    np.testing.assert_allclose(found[0, 0], wanted, atol=1e-6)


def test_one_sample_of_several_elements() -> None:
    x = floats([[[1, 2, 6]]])
    for mode, wanted in (
        ("STRICT_ALIGN_CORNERS", 1),
        ("ALIGN_CORNERS", 2),
        ("DEFAULT", 1),
        ("UNALIGN_CORNERS", 2),
    ):
        found = run("resize_bilinear", x=x, target_size_height=1, target_size_width=1, sampling_mode=mode)
        assert found.tolist() == [[[wanted]]]


def test_bilinear_by_a_factor() -> None:
    factor = {"scale_factor_height": 1, "scale_factor_width": 2.5}
    np.testing.assert_allclose(run("upsample_bilinear", x=LINE, **factor)[0, 0], [0, 0.25, 0.5, 0.75, 1])
    found = run("upsample_bilinear", x=LINE, align_corners=False, **factor)
    np.testing.assert_allclose(found[0, 0], [0, 0.1, 0.5, 0.9, 1], atol=1e-6)
    found = run("upsample_bilinear", 16, x=LINE, align_corners=False, half_pixel_centers=False, **factor)
    np.testing.assert_allclose(found[0, 0], [0, 0.4, 0.8, 1, 1], atol=1e-6)


def test_nearest() -> None:
    assert run("upsample_nearest_neighbor", x=LINE, scale_factor_width=2).tolist() == [[[0, 0, 1, 1]]]
    assert run("resize_nearest_neighbor", x=LINE, target_size_height=2, target_size_width=2).tolist() == [
        [[0, 1]] * 2
    ]
    assert "not specified" in refused(
        "resize_nearest_neighbor", x=LINE, target_size_height=1, target_size_width=3
    )
    found = run("resize", 17, x=LINE, shape=[6], resized_dims=1, interpolation_mode="NEAREST_NEIGHBOR")
    assert found.tolist() == [[[0, 0, 0, 1, 1, 1]]]


IMAGE = floats(np.arange(1, 7).reshape(1, 1, 2, 3))


def resampled(places: list[list[float]], **given: Any) -> list[float]:
    asked = {
        "sampling_mode": "bilinear",
        "padding_mode": "constant",
        "padding_value": 0.0,
        "coordinates_mode": "unnormalized",
        "align_corners": True,
    }
    found = run("resample", x=IMAGE, coordinates=floats([[places]]), **asked | given)
    return found[0, 0, 0].tolist()


def test_sampling_at_places() -> None:
    assert resampled([[0, 0], [2, 1], [0.5, 0], [1, 0.5], [0.5, 0.5]]) == [1, 6, 1.5, 3.5, 3]
    assert resampled([[-0.5, 0], [3, 0], [2, 1.75]]) == [0.5, 0, 1.5]
    assert resampled([[-1, 0]], padding_value=9.0) == [9]
    assert resampled([[-5, 0], [9, 9]], padding_mode="border") == [1, 6]
    assert resampled([[-1, 0], [3, 0], [5, 0]], padding_mode="reflection") == [2, 2, 2]
    assert resampled([[-1, 0], [3, 0], [5, 0]], padding_mode="symmetric") == [1, 3, 1]
    assert resampled([[1.4, 0.6]], sampling_mode="nearest") == [5]
    assert resampled([[2.5, -0.5]], sampling_mode="nearest", padding_mode="border") == [3]
    with pytest.raises(Refusal, match="as near"):
        resampled([[0.5, 0]], sampling_mode="nearest")


def test_coordinates_that_are_normalised() -> None:
    for mode, low, high in (("normalized_minus_one_to_one", -1, 1), ("normalized_zero_to_one", 0, 1)):
        middle = (low + high) / 2
        assert resampled([[low, low], [high, high], [middle, low]], coordinates_mode=mode) == [1, 6, 2]
        edges = resampled([[middle, middle]], coordinates_mode=mode, align_corners=False)
        assert edges == [3.5]
        outer = resampled([[low, middle]], coordinates_mode=mode, align_corners=False)
        assert outer == [1.25]


def test_affine() -> None:
    asked = {
        "sampling_mode": "bilinear", "padding_mode": "constant", "padding_value": 0.0,
        "coordinates_mode": "normalized_minus_one_to_one", "align_corners": True,
        "output_height": 2, "output_width": 3,
    }  # fmt: skip
    same = run("affine", x=IMAGE, transform_matrix=[[1.0, 0, 0, 0, 1, 0]], **asked)
    np.testing.assert_allclose(same, IMAGE)
    moved = run("affine", x=IMAGE, transform_matrix=[[1.0, 0, 1, 0, 1, 0]], **asked)
    np.testing.assert_allclose(moved[0, 0], [[2, 3, 0], [5, 6, 0]])
    assert "specified" in refused(
        "affine", x=IMAGE, transform_matrix=[[1.0, 0, 0, 0, 1, 0]], **asked | {"align_corners": False}
    )


PHOTO = floats(np.arange(1, 17).reshape(1, 1, 4, 4))


def test_parts_of_images() -> None:
    asked = {"target_height": 2, "target_width": 2, "sampling_mode": "ALIGN_CORNERS"}
    box = floats([1, 1, 2, 2]).reshape(1, 1, 4, 1, 1)
    assert run("crop_resize", x=PHOTO, roi=box, **asked).reshape(-1).tolist() == [6, 7, 10, 11]
    third = floats([0, 0, 0, 1 / 3, 1 / 3]).reshape(1, 1, 5, 1, 1)
    found = run("crop_resize", x=PHOTO, roi=third, normalized_coordinates=True, **asked)
    np.testing.assert_allclose(found.reshape(-1), [1, 2, 5, 6], rtol=1e-6)
    boxes = {"boxes": floats([[2, 1, 2, 2]]), "box_indices": ints([0])}
    found = run("crop_resize", 17, x=PHOTO, box_coordinate_mode="CENTER_SIZE_WIDTH_FIRST", **boxes, **asked)
    assert found.reshape(-1).tolist() == [2, 4, 10, 12]
    outside = floats([[-1, 0, 1, 1]])
    found = run("crop_resize", 17, x=PHOTO, boxes=outside, pad_value=7.0, **asked)
    assert found.reshape(-1).tolist() == [7, 7, 5, 6]
    roi = outside.reshape(1, 1, 4, 1, 1)
    assert "beyond" in refused("crop_resize", x=PHOTO, roi=roi, **asked)


def test_regions_in_equal_parts() -> None:
    # With offset corners the samples lie in the middle of equal parts of the box.
    asked = {"target_height": 1, "target_width": 2, "sampling_mode": "OFFSET_CORNERS"}
    found = run("crop_resize", 17, x=PHOTO, boxes=floats([[0, 0, 0, 2]]), **asked)
    assert found.reshape(-1).tolist() == [3.5, 4.5]
