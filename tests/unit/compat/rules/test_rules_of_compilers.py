"""Rules of compilers, at their limits: the last value that holds and the first that does not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edgekit.compat.facts import facts_of
from edgekit.compat.oneop import Draw, one_op
from edgekit.compat.rules import rules
from edgekit.ir import Quant
from edgekit.lowering.ledger import Emitted, Value
from edgekit.target import Outcome


def holds(emitted: Emitted, rule: str, **params: Any) -> bool | None:
    """Returns whether a rule holds, `None` if it cannot be told."""
    finding = rules()[rule].check(facts_of(emitted, "tflite"), **params)
    return True if finding is None else None if finding.outcome is Outcome.UNKNOWN else False


def made(op: str, **knobs: Any) -> Emitted:
    return one_op(op, Draw(fixed=knobs)).emitted


def tensor(*shape: int | None, dtype: str = "int8", quant: Quant | None = None) -> Value:
    return Value(np.dtype(dtype), shape, None, quant)


def constant(values: Any, dtype: str = "int32") -> Value:
    data = np.asarray(values, dtype)
    return Value(data.dtype, data.shape, data)


@pytest.mark.parametrize(
    ("size", "stride", "kernel", "mode", "expected"),
    [(8, 2, 2, "SAME", True), (9, 2, 2, "SAME", False), (9, 2, 2, "VALID", True), (8, 1, 3, "SAME", False)],
)
def test_padding_that_comes_to_nothing(
    size: int, stride: int, kernel: int, mode: str, expected: bool
) -> None:
    sizes = {"height": size, "width": size, "stride_h": stride, "stride_w": stride}
    op = made("MAX_POOL_2D", **sizes, kernel_h=kernel, kernel_w=kernel, padding=mode)
    assert holds(op, "pads-range", high=0) is expected


def test_strides_count_only_where_they_step() -> None:
    wide = {"stride_h": 4, "stride_w": 1, "padding": "SAME"}
    assert holds(made("CONV_2D", **wide), "stride-where-it-steps", high=3) is False
    assert holds(made("CONV_2D", **wide, height=1), "stride-where-it-steps", high=3) is True


@pytest.mark.parametrize(("count", "expected"), [(65536, True), (65537, False)])
def test_weight_sum(count: int, expected: bool) -> None:
    weights = Value(np.dtype(np.int8), (1, count), np.full((1, count), 127, np.int8), Quant((0.1,), (0,)))
    op = Emitted("FULLY_CONNECTED", (tensor(1, count), weights), (tensor(1, 1),), {})
    assert holds(op, "weight-sum", high=127 * 65536) is expected


def test_weight_sum_counts_from_the_zero_point() -> None:
    data = np.full((2, 1, 1, 600), 255, np.uint8)
    weights = Value(data.dtype, data.shape, data, Quant((0.1,), (255,)))
    op = Emitted("CONV_2D", (tensor(1, 4, 4, 600), weights), (tensor(1, 4, 4, 2),), {})
    assert holds(op, "weight-sum", high=10) is True


@pytest.mark.parametrize(
    ("shape", "axes", "rule", "params", "expected"),
    [
        ((1, 5, 5, 3), [3], "reduced-depth-flat", {}, False),
        ((1, 1, 5, 3), [3], "reduced-depth-flat", {}, True),
        ((1, 5, 5, 3), [1, 2], "reduced-depth-flat", {}, True),
        ((5, 3), [-1], "reduced-depth-flat", {}, True),
        ((1, 4096, 1, 1), [1], "reduced-size", {"high": 4096}, True),
        ((1, 4097, 1, 1), [1], "reduced-size", {"high": 4096}, False),
        ((1, 4097, 2, 1), [2], "reduced-size", {"high": 4096}, True),
        ((1, 8, 4, 1), [1, 2], "reduced-elements", {"dtypes": ("int8",), "high": 32}, True),
        ((1, 8, 5, 1), [1, 2], "reduced-elements", {"dtypes": ("int8",), "high": 32}, False),
        ((1, 8, 5, 1), [1, 2], "reduced-elements", {"dtypes": ("int16",), "high": 32}, True),
    ],
)
def test_reductions(
    shape: tuple[int, ...], axes: list[int], rule: str, params: dict[str, Any], expected: bool
) -> None:
    op = Emitted("MEAN", (tensor(*shape), constant(axes)), (tensor(*shape),), {"keep_dims": True})
    assert holds(op, rule, **params) is expected


def test_an_open_batch_counts_as_one_and_another_open_size_is_not_known() -> None:
    op = Emitted("MEAN", (tensor(None, 4097, 1, 1), constant([1])), (tensor(None, 1, 1, 1),), {})
    assert holds(op, "reduced-size", high=4096) is False
    assert holds(op, "size-from-end", of="ifm", axis=-4, high=1) is True
    unknown = Emitted("MEAN", (tensor(1, None, 1, 1), constant([1])), (tensor(1, 1, 1, 1),), {})
    assert holds(unknown, "reduced-size", high=4096) is None
    assert holds(unknown, "inner-sizes-known") is False
    assert holds(op, "inner-sizes-known") is True


def resize(
    size: tuple[int, int], to: tuple[int, int], name: str = "RESIZE_BILINEAR", **attrs: bool
) -> Emitted:
    options = {"align_corners": False, "half_pixel_centers": False, **attrs}
    return Emitted(name, (tensor(1, *size, 4), constant(to)), (tensor(1, *to, 4),), options)


@pytest.mark.parametrize(
    ("op", "expected"),
    [
        (resize((4, 4), (8, 8)), True),
        (resize((4, 4), (32, 32)), True),
        (resize((4, 4), (64, 64)), False),
        (resize((4, 4), (12, 12)), False),
        (resize((4, 4), (8, 16)), False),
        (resize((4, 4), (2, 2)), False),
        (resize((4, 4), (4, 4)), True),
        (resize((4, 4), (4, 4), half_pixel_centers=True), False),
        (resize((4, 4), (8, 8), half_pixel_centers=True), True),
        (resize((4, 4), (16, 16), half_pixel_centers=True), False),
        (resize((4, 4), (16, 16), "RESIZE_NEAREST_NEIGHBOR", half_pixel_centers=True), True),
        (resize((4, 4), (7, 7), align_corners=True), True),
        (resize((4, 4), (8, 8), align_corners=True), False),
        (resize((1, 1), (5, 9)), True),
        (resize((1, 4), (1, 8)), True),
        (resize((1, 4), (2, 16)), False),
    ],
)
def test_one_upscale(op: Emitted, expected: bool) -> None:
    assert holds(op, "one-upscale", high=8, high_half_pixel=2) is expected


@pytest.mark.parametrize(
    ("op", "rule", "params", "expected"),
    [
        (resize((2, 2), (4096, 4)), "upscale-below", {"high": 2048, "high_half_pixel": 1024}, True),
        (resize((2, 2), (4098, 4)), "upscale-below", {"high": 2048, "high_half_pixel": 1024}, False),
        (
            resize((2, 2), (2050, 4), half_pixel_centers=True),
            "upscale-below",
            {"high": 2048, "high_half_pixel": 1024},
            False,
        ),
        (resize((2, 2), (4, 16)), "upscale-powers-of-two", {}, True),
        (resize((2, 2), (4, 6)), "upscale-powers-of-two", {}, False),
        (resize((1, 1), (3, 5)), "upscale-powers-of-two", {}, True),
        (
            resize((2, 2), (4, 4), align_corners=True, half_pixel_centers=True),
            "corners-or-half-pixels",
            {},
            False,
        ),
    ],
)
def test_other_limits_of_resizing(op: Emitted, rule: str, params: dict[str, int], expected: bool) -> None:
    assert holds(op, rule, **params) is expected


@pytest.mark.parametrize(
    ("knobs", "rule", "expected"),
    [
        ({}, "upsampling-stride", True),
        ({"stride_h": 3, "stride_w": 3}, "upsampling-stride", False),
        ({"stride_h": 1, "stride_w": 2}, "upsampling-stride", False),
        ({"stride_h": 1, "stride_w": 2, "height": 1, "kernel_h": 1}, "upsampling-stride", True),
        ({"padding": "VALID"}, "upsampled-size", True),
        ({"extra": 1}, "upsampled-size", False),
    ],
)
def test_transposed_convolutions(knobs: dict[str, Any], rule: str, expected: bool) -> None:
    assert holds(made("TRANSPOSE_CONV", **knobs), rule) is expected


def transposed(shape: tuple[int, ...], perm: tuple[int, ...], dtype: str = "int8") -> Emitted:
    result = tuple(shape[p] for p in perm)
    return Emitted(
        "TRANSPOSE", (tensor(*shape, dtype=dtype), constant(perm)), (tensor(*result, dtype=dtype),), {}
    )


@pytest.mark.parametrize(
    ("shape", "perm", "expected"),
    [
        ((1, 65536, 2), (1, 0, 2), True),
        ((1, 65537, 2), (1, 0, 2), False),
        ((1, 65537, 2), (0, 1, 2), True),
        ((1, 256, 256, 4), (0, 3, 1, 2), True),
        ((2, 256, 256, 4), (0, 3, 1, 2), True),
        ((3, 256, 257, 4), (0, 3, 1, 2), False),
        ((4, 256, 256, 1), (3, 1, 2, 0), True),
        ((4, 257, 256, 1), (3, 1, 2, 0), False),
    ],
)
def test_transposes(shape: tuple[int, ...], perm: tuple[int, ...], expected: bool) -> None:
    assert holds(transposed(shape, perm), "transpose-sizes", high=65536) is expected


@pytest.mark.parametrize(
    ("shape", "perm", "expected"),
    [
        ((1, 4, 4, 32768), (0, 1, 2, 3), True),
        ((1, 4, 4, 32769), (0, 1, 2, 3), False),
        ((1, 4, 4, 16384), (0, 2, 1, 3), True),
        ((1, 4, 4, 16385), (0, 2, 1, 3), False),
        ((2, 4, 4, 8), (0, 2, 1, 3), False),
        ((4, 4), (1, 0), True),
        ((1, 4, 4, 8), (0, 3, 1, 2), False),
        ((1, 1, 4, 4, 8), (0, 1, 3, 2, 4), False),
    ],
)
def test_transposes_of_words(shape: tuple[int, ...], perm: tuple[int, ...], expected: bool) -> None:
    limits = {"rank": 4, "channels_kept": 32768, "channels_swapped": 16384, "high": 65536}
    assert holds(transposed(shape, perm, "int32"), "transpose-words", **limits) is expected


@pytest.mark.parametrize(
    ("knobs", "expected"),
    [
        ({"axis": 1, "step": 2}, True),
        ({"axis": 2, "step": 3}, True),
        ({"axis": -1, "step": 2}, False),
        ({"axis": 0, "step": 2}, False),
        ({"axis": 1, "step": -1}, False),
        ({"axis": -1, "step": 2, "rank": 1}, False),
        ({"axis": 1, "step": 2, "masks": "ellipsis"}, True),
    ],
)
def test_slice_steps(knobs: dict[str, Any], expected: bool) -> None:
    assert holds(made("STRIDED_SLICE", **knobs), "slice-steps") is expected


def test_what_is_left_of_the_tensors() -> None:
    quant = Quant((0.5,), (3,))
    scalar = Emitted("RELU", (tensor(quant=quant),), (tensor(quant=quant),), {})
    assert holds(scalar, "has-axes") is False
    bare = Emitted("RELU", (tensor(4),), (tensor(4, quant=quant),), {})
    assert holds(bare, "scales-given") is False
    assert holds(bare, "scales-given", but=("int8",)) is True
    assert holds(scalar, "zero-point-range", dtypes=("int8",), high=2) is False
    assert holds(scalar, "zero-point-range", dtypes=("int8",), high=3) is True
    assert holds(scalar, "scale-below", high=0.5) is False
    assert holds(made("GATHER", axis=0), "gather-along-batch") is True
    assert holds(made("GATHER", axis=-1), "gather-along-batch") is False
    assert holds(made("SCATTER_ND", places=[[1], [1], [3]]), "indices-distinct") is False
