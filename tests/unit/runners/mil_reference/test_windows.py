from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from .ops import floats, refused, run

RANDOM = np.random.default_rng(3)


def conv_by_loops(
    x: np.ndarray, w: np.ndarray, stride: int, dilation: int, pad: tuple[int, int], groups: int
) -> Any:
    n, _, *sizes = x.shape
    filters, per_group, *kernel = w.shape
    x = np.pad(x, [(0, 0), (0, 0), *[pad] * len(sizes)])
    counts = [(s - (k - 1) * dilation - 1) // stride + 1 for s, k in zip(x.shape[2:], kernel, strict=True)]
    y = np.zeros((n, filters, *counts))
    for b, m in itertools.product(range(n), range(filters)):
        first = m // (filters // groups) * per_group
        for place in np.ndindex(*counts):
            for c, tap in itertools.product(range(per_group), np.ndindex(*kernel)):
                at = tuple(p * stride + t * dilation for p, t in zip(place, tap, strict=True))
                y[(b, m, *place)] += x[(b, first + c, *at)] * w[(m, c, *tap)]
    return y


@pytest.mark.parametrize("axes", [1, 2, 3])
@pytest.mark.parametrize(
    ("stride", "dilation", "pad", "groups"), [(1, 1, (0, 0), 1), (2, 2, (1, 2), 2), (1, 1, (2, 0), 4)]
)
def test_convolution(axes: int, stride: int, dilation: int, pad: tuple[int, int], groups: int) -> None:
    x = RANDOM.normal(size=(2, 4, *(5, 6, 5)[:axes])).astype(np.float32)
    w = RANDOM.normal(size=(8, 4 // groups, *(3, 2, 2)[:axes])).astype(np.float32)
    bias = np.arange(8, dtype=np.float32)
    found = run(
        "conv", x=x, weight=w, bias=bias, strides=[stride] * axes, dilations=[dilation] * axes, groups=groups,
        pad_type="custom", pad=list(pad) * axes,
    )  # fmt: skip
    wanted = conv_by_loops(x, w, stride, dilation, pad, groups) + bias.reshape(8, *[1] * axes)
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)


def test_padding_that_keeps_the_size() -> None:
    x, w = floats([[[1, 2, 3, 4]]]), floats([[[1, 10]]])
    assert run("conv", x=x, weight=w, pad_type="same").tolist() == [[[21, 32, 43, 4]]]
    assert run("conv", x=x, weight=w, pad_type="same_lower").tolist() == [[[10, 21, 32, 43]]]
    assert run("conv", x=x, weight=w, pad_type="valid").tolist() == [[[21, 32, 43]]]
    strided = run(
        "conv", x=floats([[[1, 2, 3, 4, 5]]]), weight=floats([[[1, 1, 1]]]), pad_type="same", strides=[2]
    )
    assert strided.tolist() == [[[3, 9, 9]]]


def test_convolutions_that_do_not_fit() -> None:
    x, w = floats(np.ones((1, 2, 3))), floats(np.ones((1, 2, 4)))
    assert "does not fit" in refused("conv", x=x, weight=w)
    assert "channels" in refused("conv", x=x, weight=floats(np.ones((1, 3, 1))))
    assert "`pad`" in refused("conv", x=x, weight=w, pad=[1, 1])
    assert "`pad_type`" in refused("conv", x=x, weight=w, pad_type="full")
    assert "one type" in refused("conv", 16, x=x.astype(np.float16), weight=w)
    half = run("conv", 17, x=x.astype(np.float16), weight=w[..., :1])
    assert half.dtype == np.float16


def transposed_by_loops(x: np.ndarray, w: np.ndarray, stride: int, dilation: int, groups: int) -> Any:
    n, channels, *sizes = x.shape
    _, per_group, *kernel = w.shape
    full = [(s - 1) * stride + (k - 1) * dilation + 1 for s, k in zip(sizes, kernel, strict=True)]
    y = np.zeros((n, per_group * groups, *full))
    for b, c in itertools.product(range(n), range(channels)):
        first = c // (channels // groups) * per_group
        for place in np.ndindex(*sizes):
            for m, tap in itertools.product(range(per_group), np.ndindex(*kernel)):
                at = tuple(p * stride + t * dilation for p, t in zip(place, tap, strict=True))
                y[(b, first + m, *at)] += x[(b, c, *place)] * w[(c, m, *tap)]
    return y


@pytest.mark.parametrize("axes", [1, 2, 3])
@pytest.mark.parametrize(("stride", "dilation", "groups"), [(1, 1, 1), (2, 1, 2), (3, 2, 1)])
def test_transposed_convolution(axes: int, stride: int, dilation: int, groups: int) -> None:
    x = RANDOM.normal(size=(2, 4, *(3, 4, 2)[:axes])).astype(np.float32)
    w = RANDOM.normal(size=(4, 3, *(3, 2, 2)[:axes])).astype(np.float32)
    given = {"strides": [stride] * axes, "dilations": [dilation] * axes, "groups": groups}
    wanted = transposed_by_loops(x, w, stride, dilation, groups)
    found = run("conv_transpose", x=x, weight=w, **given)
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)
    cut = run("conv_transpose", x=x, weight=w, pad_type="custom", pad=[1, 0] * axes, **given)
    np.testing.assert_allclose(cut, wanted[(..., *[slice(1, None)] * axes)], rtol=1e-4, atol=1e-5)


def test_the_shape_of_a_transposed_convolution() -> None:
    x, w = floats([[[1, 2]]]), floats([[[1, 1, 1]]])
    assert run("conv_transpose", x=x, weight=w, strides=[2]).tolist() == [[[1, 1, 3, 2, 2]]]
    assert run("conv_transpose", x=x, weight=w, strides=[2], pad_type="same").tolist() == [[[1, 1, 3, 2]]]
    given = {"strides": [2], "pad_type": "custom", "pad": [1, 1], "output_shape": [1, 1, 4]}
    assert run("conv_transpose", x=x, weight=w, **given).tolist() == [[[1, 3, 2, 2]]]


def test_pooling() -> None:
    x = floats([[[1, -2, 3, -4, 5]]])
    given = {"kernel_sizes": [2], "strides": [2]}
    assert run("max_pool", x=x, pad_type="valid", **given).tolist() == [[[1, 3]]]
    assert run("max_pool", x=x, pad_type="valid", ceil_mode=True, **given).tolist() == [[[1, 3, 5]]]
    assert run("max_pool", x=-x, pad_type="custom", pad=[1, 0], **given).tolist() == [[[-1, 2, 4]]]
    assert run("avg_pool", x=x, pad_type="custom", pad=[1, 0], **given).tolist() == [[[0.5, 0.5, 0.5]]]
    without = run("avg_pool", x=x, pad_type="custom", pad=[1, 0], exclude_padding_from_average=True, **given)
    assert without.tolist() == [[[1, 0.5, 0.5]]]
    assert run("avg_pool", x=x, pad_type="valid", ceil_mode=True, **given).tolist() == [[[-0.5, -0.5, 5]]]
    np.testing.assert_allclose(run("l2_pool", x=x, pad_type="valid", **given), [[[5**0.5, 5]]], rtol=1e-6)
    assert "same padding" in refused("max_pool", x=x, pad_type="custom", pad=[1, 0], ceil_mode=True, **given)


def test_pooling_of_more_axes() -> None:
    x = np.arange(2 * 3 * 4, dtype=np.float32).reshape(1, 1, 2, 3, 4)
    found = run("max_pool", x=x, kernel_sizes=[2, 2, 2], strides=[1, 1, 2], pad_type="valid")
    assert found.tolist() == [[[[[17, 19], [21, 23]]]]]
    flat = run("avg_pool", x=x[:, 0], kernel_sizes=[2, 3], strides=[1, 1], pad_type="same")
    assert flat.shape == (1, 2, 3, 4)
    assert flat[0, 0, 0, 0] == (0 + 1 + 4 + 5) / 6
