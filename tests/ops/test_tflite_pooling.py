"""Pooling of every kind against ONNX Runtime, and the inverse of max pooling."""

from __future__ import annotations

import numpy as np
import pytest


def pool_case(seed):
    """Draws a window: its attributes, an input, its symbolic axes."""
    rng = np.random.default_rng(seed)
    axes = int(rng.choice([1, 2, 2, 3]))
    kernel, strides, dilations = rng.integers(1, 4, axes), rng.integers(1, 4, axes), rng.integers(1, 3, axes)
    mode = str(rng.choice(["NOTSET", "NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"]))
    if mode.startswith("SAME"):
        strides = np.minimum(strides, kernel)  # else ONNX Runtime computes negative pads and fails
    attrs = {"kernel_shape": kernel.tolist(), "strides": strides.tolist()}
    if mode.startswith("SAME"):
        attrs["auto_pad"] = mode
    else:
        attrs |= {"dilations": dilations.tolist(), "ceil_mode": int(rng.integers(2))}
        attrs |= {"pads": [*rng.integers(0, kernel), *rng.integers(0, kernel)]} if mode == "NOTSET" else {}
    attrs = {k: [int(i) for i in v] if isinstance(v, list) else v for k, v in attrs.items()}
    x = rng.standard_normal((2, 3, *rng.integers(5, 10, axes))).astype(np.float32)
    fixed = mode.startswith("SAME") or attrs.get("ceil_mode")
    symbolic = [(), (0,), () if fixed else tuple(range(2, 2 + axes))][rng.integers(3)]
    return x, attrs, {0: symbolic}


@pytest.mark.parametrize("seed", range(30))
def test_max_pool(bench, seed):
    x, attrs, dynamic = pool_case(seed)
    bench.check("MaxPool", [x], attrs, dynamic=dynamic, rtol=0, atol=0)


@pytest.mark.parametrize("seed", range(30))
def test_indices_of_maxima(bench, seed):
    x, attrs, _ = pool_case(seed)
    attrs["storage_order"], dynamic = seed % 2, [(), {0: (0,)}][seed % 3 % 2]
    x = np.round(x)  # with equal maxima
    bench.check("MaxPool", [x], attrs, outputs=2, dynamic=dynamic, rtol=0, atol=0)


@pytest.mark.parametrize("dtype", ["int8", "uint8", "float16"])
def test_max_pool_of_other_dtypes(bench, draw, dtype):
    x = draw(dtype, 1, 2, 5, 6)
    attrs = {"kernel_shape": [3, 2], "pads": [1, 0, 1, 1], "strides": [2, 1]}
    bench.check("MaxPool", [x], attrs, rtol=0, atol=0)


def test_padding_of_maxima_is_below_every_number(bench):
    x = np.full((1, 1, 2, 2), -1e30, np.float32)
    bench.check("MaxPool", [x], {"kernel_shape": [2, 2], "pads": [1, 1, 0, 0]}, rtol=0, atol=0)


@pytest.mark.parametrize("seed", range(30))
def test_average_pool(bench, seed):
    x, attrs, dynamic = pool_case(seed)
    attrs["count_include_pad"] = seed % 2
    bench.check("AveragePool", [x], attrs, dynamic=dynamic)


@pytest.mark.parametrize("seed", range(15))
@pytest.mark.parametrize("p", [1, 2, 3])
def test_lp_pool(bench, seed, p):
    x, attrs, _ = pool_case(seed)
    bench.check("LpPool", [x], {**attrs, "p": p}, atol=1e-5)


@pytest.mark.parametrize("op", ["GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool"])
@pytest.mark.parametrize("shape", [(2, 3, 5), (2, 3, 4, 5), (2, 3, 3, 3), (1, 2, 3, 4, 5)])
def test_global_pools(bench, draw, op, shape):
    bench.check(op, [draw("float32", *shape)], dynamic=(0,), opset=21)


@pytest.mark.parametrize(
    ("op", "attrs", "expected"),
    [
        ("MaxPool", {"pads": [1, 1, 1, 1]}, ["MAX_POOL_2D"]),
        ("MaxPool", {"pads": [1, 1, 1, 1], "strides": [2, 2]}, ["PADV2", "MAX_POOL_2D"]),
        ("AveragePool", {"pads": [1, 1, 1, 1]}, ["AVERAGE_POOL_2D"]),
        ("AveragePool", {"pads": [1, 1, 1, 1], "count_include_pad": 1}, ["PAD", "AVERAGE_POOL_2D"]),
        ("AveragePool", {}, ["AVERAGE_POOL_2D"]),
    ],
)
def test_which_ops_a_pool_becomes(bench, draw, op, attrs, expected):
    assert bench.emitted(op, [draw("float32", 1, 2, 8, 8)], {"kernel_shape": [3, 3], **attrs}) == expected


def test_refusals(bench, draw):
    x, attrs = draw("float32", 1, 2, 8, 8), {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}
    assert "indices of maxima" in bench.refused("MaxPool", [x], attrs, outputs=2, dynamic=(0,))
    attrs |= {"strides": [2, 2], "ceil_mode": 1, "count_include_pad": 1}
    text = bench.refused("AveragePool", [x], attrs, dynamic=(0,))
    assert text.startswith("EK305")
    assert "counted pads" in text


@pytest.mark.parametrize(("kernel", "strides"), [([2], [2]), ([2, 3], [2, 3]), ([2, 2, 2], [3, 2, 2])])
def test_max_unpool(bench, draw, rng, kernel, strides):
    x = draw("float32", 2, 2, *(3 for _ in kernel))
    size = [2 * s + k for k, s in zip(kernel, strides, strict=True)]
    indices = rng.permutation(4 * int(np.prod(size)))[: x.size].reshape(x.shape)
    attrs = {"kernel_shape": kernel, "strides": strides}
    bench.check("MaxUnpool", [x, indices], attrs, rtol=0, atol=0)


def test_unpooling_overlapping_windows_is_refused(bench, draw):
    inputs = [draw("float32", 1, 1, 2, 2), np.zeros((1, 1, 2, 2), np.int64)]
    attrs = {"kernel_shape": [3, 3], "strides": [2, 2]}
    assert "overlapping windows" in bench.refused("MaxUnpool", inputs, attrs)
    attrs, size = {"kernel_shape": [2, 2], "strides": [2, 2]}, np.array([1, 1, 5, 5])
    assert "not settled" in bench.refused("MaxUnpool", [*inputs, size], attrs, const=(2,))


@pytest.mark.parametrize("seed", range(12))
def test_col2im(bench, seed):
    """Against a sum over all taps: ONNX Runtime is wrong for three dilated axes."""
    rng = np.random.default_rng(seed)
    axes = int(rng.integers(2, 4))
    image, block = rng.integers(4, 7, axes), rng.integers(1, 4, axes)
    strides, dilations, pads = (
        rng.integers(1, 3, axes),
        rng.integers(1, 3, axes),
        rng.integers(0, 2, (2, axes)),
    )
    dilations = np.where((block - 1) * dilations < image, dilations, 1)
    whole = image + pads.sum(0)
    counts = (whole - (block - 1) * dilations - 1) // strides + 1
    x = rng.standard_normal((2, 3 * block.prod(), counts.prod())).astype(np.float32)
    columns, padded = x.reshape(2, 3, *block, *counts), np.zeros((2, 3, *whole), np.float32)
    for tap in np.ndindex(*block):
        at = [
            slice(t * d, t * d + (c - 1) * s + 1, s)
            for t, d, c, s in zip(tap, dilations, counts, strides, strict=True)
        ]
        padded[(slice(None), slice(None), *at)] += columns[(slice(None), slice(None), *tap)]
    inner = [slice(a, a + d) for a, d in zip(pads[0], image, strict=True)]
    attrs = {"strides": strides.tolist(), "dilations": dilations.tolist(), "pads": pads.reshape(-1).tolist()}
    expected = padded[(slice(None), slice(None), *inner)]
    bench.check(
        "Col2Im", [x, image, block], attrs, const=(1, 2), dynamic={0: (0,)}, expected=[expected], atol=1e-5
    )
