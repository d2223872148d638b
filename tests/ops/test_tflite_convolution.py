"""Convolutions of every kind against ONNX Runtime, and which TFLite ops they become."""

from __future__ import annotations

import numpy as np
import pytest


def conv_case(seed):
    """Draws a convolution: operands, attributes, bound operands, symbolic axes."""
    rng = np.random.default_rng(seed)
    axes, group = int(rng.choice([1, 2, 2, 3])), int(rng.choice([1, 1, 2, 3]))
    inputs, outputs = group * int(rng.integers(1, 3)), group * int(rng.integers(1, 4))
    kernel, size = rng.integers(1, 4, axes), rng.integers(5, 10, axes)
    attrs = {"group": group, "strides": rng.integers(1, 4, axes).tolist()}
    mode = rng.choice(["NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"])
    if mode.startswith("SAME"):
        attrs["auto_pad"] = str(mode)
    else:
        attrs["dilations"] = rng.integers(1, 3, axes).tolist()
        attrs |= (
            {"pads": rng.integers(0, 3, 2 * axes).tolist()} if mode == "NOTSET" else {"auto_pad": "VALID"}
        )
    x = rng.standard_normal((2, inputs, *size)).astype(np.float32)
    w = rng.standard_normal((outputs, inputs // group, *kernel)).astype(np.float32)
    bias = rng.standard_normal(outputs).astype(np.float32) if rng.random() < 0.7 else None
    const = [(1, 2), (1, 2), (2,), ()][rng.integers(4)]
    symbolic = [(), (0,), tuple(range(2, 2 + axes)), (0, *range(2, 2 + axes))][rng.integers(4)]
    if mode == "SAME_LOWER" and max(attrs["strides"]) > 1:
        symbolic = tuple(a for a in symbolic if a < 2)
    return [x, w] if bias is None else [x, w, bias], attrs, const, {0: symbolic}


@pytest.mark.parametrize("seed", range(40))
def test_conv(bench, seed):
    inputs, attrs, const, dynamic = conv_case(seed)
    bench.check("Conv", inputs, attrs, const=const, dynamic=dynamic, atol=2e-5)


def test_conv_of_equal_sizes(bench, draw):
    """Nothing tells the axes apart but their place."""
    bench.check("Conv", [draw("float32", 3, 3, 3, 3), draw("float32", 3, 3, 3, 3)], const=(1,), atol=2e-5)


@pytest.mark.parametrize(
    ("size", "attrs", "expected"),
    [
        ((8, 8), {"pads": [1, 1, 1, 1]}, ["CONV_2D"]),
        ((8, 8), {"pads": [0, 0, 1, 1], "strides": [2, 2]}, ["CONV_2D"]),
        ((8, 8), {"pads": [1, 1, 1, 1], "strides": [2, 2]}, ["PAD", "CONV_2D"]),
        ((7, 7), {"pads": [1, 1, 1, 1], "strides": [2, 2]}, ["CONV_2D"]),
        ((7, 7), {}, ["CONV_2D"]),
    ],
    ids=["same", "same with stride", "padded in front", "odd size", "valid"],
)
def test_same_is_used_where_it_is_the_same(bench, draw, size, attrs, expected):
    inputs = [draw("float32", 1, 2, *size), draw("float32", 4, 2, 3, 3)]
    assert bench.emitted("Conv", inputs, attrs, const=(1,)) == expected
    bench.check("Conv", inputs, attrs, const=(1,), atol=2e-5)


def test_one_group_per_channel_is_depthwise(bench, draw):
    inputs = [draw("float32", 1, 3, 5, 5), draw("float32", 6, 1, 3, 3)]
    assert bench.emitted("Conv", inputs, {"group": 3}, const=(1,)) == ["DEPTHWISE_CONV_2D"]


def test_half_precision_is_computed_in_single(bench, draw):
    inputs = [draw("float16", 1, 2, 5, 6), draw("float16", 3, 2, 2, 3), draw("float16", 3)]
    bench.check("Conv", inputs, const=(1, 2), rtol=2e-3, atol=2e-2)


def test_refusals(bench, draw):
    x, w = draw("float32", 1, 2, 7, 7), draw("float32", 3, 2, 3, 3)
    text = bench.refused("Conv", [x, w], {"auto_pad": "SAME_LOWER", "strides": [2, 2]}, dynamic=(0,))
    assert text.startswith("EK305")
    assert "SAME_LOWER" in text
    text = bench.refused("Conv", [x.astype(float), w.astype(float)])
    assert text.startswith("EK303")
    text = bench.refused("Conv", [x, w], const=(), dynamic=(1,))
    assert "weights is known only at run time" in text


def transposed_case(seed):
    rng = np.random.default_rng(seed)
    axes, group = int(rng.choice([1, 2, 2, 3])), int(rng.choice([1, 1, 2]))
    inputs, outputs = group * int(rng.integers(1, 3)), int(rng.integers(1, 4))
    kernel, size = rng.integers(1, 5, axes), rng.integers(3, 7, axes)
    strides, dilations = rng.integers(1, 4, axes), rng.integers(1, 3, axes)
    attrs = {"group": group, "strides": strides.tolist(), "dilations": dilations.tolist()}
    full = (size - 1) * strides + (kernel - 1) * dilations + 1
    match rng.choice(["pads", "output_shape", "SAME_UPPER", "SAME_LOWER"]):
        case "pads":
            # ONNX Runtime wants less output padding than stride and less padding than output
            attrs["pads"] = np.minimum(rng.integers(0, 3, (2, axes)), (full - 1) // 2).reshape(-1).tolist()
            attrs["output_padding"] = rng.integers(0, strides).tolist()
        case "output_shape":
            attrs["output_shape"] = np.maximum(full - rng.integers(0, 3, axes), size).tolist()
        case mode:
            attrs["auto_pad"] = str(mode)
    x = rng.standard_normal((2, inputs, *size)).astype(np.float32)
    w = rng.standard_normal((inputs, outputs, *kernel)).astype(np.float32)
    bias = rng.standard_normal(outputs * group).astype(np.float32)
    const = [(1, 2), (2,)][rng.integers(2)]
    symbolic = [(), (0,), tuple(range(2, 2 + axes))][rng.integers(3)]
    return [x, w, bias], attrs, const, {0: () if "output_shape" in attrs else symbolic}


@pytest.mark.parametrize("seed", range(40))
def test_conv_transpose(bench, seed):
    inputs, attrs, const, dynamic = transposed_case(seed)
    bench.check("ConvTranspose", inputs, attrs, const=const, dynamic=dynamic, atol=2e-5)


def test_conv_transpose_uses_the_builtin(bench, draw):
    x, w = draw("float32", 1, 3, 5, 5), draw("float32", 3, 2, 4, 4)
    attrs = {"strides": [2, 2], "pads": [1, 1, 1, 1]}
    assert bench.emitted("ConvTranspose", [x, w], attrs, const=(1,)) == ["TRANSPOSE_CONV"]
    attrs = {"strides": [2, 2], "pads": [0, 1, 0, 1]}
    assert bench.emitted("ConvTranspose", [x, w], attrs, const=(1,)) == ["TRANSPOSE_CONV", "STRIDED_SLICE"]


def test_same_with_output_padding_is_refused(bench, draw):
    inputs = [draw("float32", 1, 2, 4), draw("float32", 2, 1, 3)]
    attrs = {"auto_pad": "SAME_UPPER", "output_padding": [1], "strides": [2]}
    assert "does not say which size" in bench.refused("ConvTranspose", inputs, attrs)


@pytest.mark.parametrize("seed", range(12))
def test_deform_conv(bench, seed):
    rng = np.random.default_rng(seed)
    offset_group, group = int(rng.integers(1, 3)), int(rng.integers(1, 3))
    kernel, strides, dilations = rng.integers(1, 4, 2), rng.integers(1, 3, 2), rng.integers(1, 3, 2)
    pads, size = rng.integers(0, 2, 4), np.array([6, 7])
    out = (size + pads[:2] + pads[2:] - (kernel - 1) * dilations - 1) // strides + 1
    taps = int(kernel.prod())

    def normal(*shape):
        return rng.standard_normal(shape).astype(np.float32)

    inputs = [
        normal(2, 4, *size),
        normal(2, 4 // group, *kernel),
        normal(2, offset_group * taps * 2, *out),
        normal(2) if seed % 2 else None,
        normal(2, offset_group * taps, *out),
    ]
    attrs = {"group": group, "offset_group": offset_group, "strides": strides.tolist()}
    attrs |= {"dilations": dilations.tolist(), "pads": pads.tolist(), "kernel_shape": kernel.tolist()}
    bench.check("DeformConv", inputs, attrs, const=(1, 3), atol=2e-5)
