"""Convolution, pooling, products, normalisation and recurrent ops on Core ML against ONNX Runtime."""

from __future__ import annotations

import numpy as np
import pytest


def window(rng, axes):
    """Draws a window: its attributes and the sizes of an image that it fits into."""
    kernel, strides, dilations = rng.integers(1, 4, axes), rng.integers(1, 3, axes), rng.integers(1, 3, axes)
    attrs = {"kernel_shape": kernel, "strides": strides, "dilations": dilations}
    mode = str(rng.choice(["NOTSET", "NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"]))
    if mode == "NOTSET":
        attrs["pads"] = np.concatenate([rng.integers(0, kernel), rng.integers(0, kernel)])
    elif mode.startswith("SAME"):
        attrs["strides"], attrs["dilations"] = np.minimum(strides, kernel), np.ones_like(kernel)
    return {"auto_pad": mode, **{k: v.tolist() for k, v in attrs.items()}}, rng.integers(6, 10, axes)


@pytest.mark.parametrize("seed", range(9))
def test_conv(coreml, seed):
    rng = np.random.default_rng(seed)
    axes, groups = 1 + seed % 3, int(rng.choice([1, 2]))
    attrs, sizes = window(rng, axes)
    x = rng.standard_normal((2, 4, *sizes)).astype(np.float32)
    w = rng.standard_normal((6, 4 // groups, *attrs["kernel_shape"])).astype(np.float32)
    bias = [rng.standard_normal(6).astype(np.float32)] if seed % 2 else []
    dynamic = {0: (0,)} if seed % 2 else ()
    coreml.check("Conv", [x, w, *bias], {**attrs, "group": groups}, const=(1, 2), dynamic=dynamic, atol=2e-5)


@pytest.mark.parametrize("seed", range(9))
def test_conv_transpose(coreml, seed):
    rng = np.random.default_rng(seed)
    axes, groups = 1 + seed % 3, int(rng.choice([1, 2]))
    kernel, strides, dilations = rng.integers(2, 4, axes), rng.integers(1, 4, axes), rng.integers(1, 3, axes)
    extra = rng.integers(0, strides)
    attrs = {
        "strides": strides.tolist(),
        "dilations": dilations.tolist(),
        "pads": rng.integers(0, 2, 2 * axes).tolist(),
        "output_padding": extra.tolist(),
        "group": groups,
    }
    x = rng.standard_normal((1, 4, *rng.integers(3, 6, axes))).astype(np.float32)
    w = rng.standard_normal((4, 6 // groups, *kernel)).astype(np.float32)
    bias = rng.standard_normal(w.shape[1] * groups).astype(np.float32)
    coreml.check("ConvTranspose", [x, w, bias], attrs, const=(1, 2), atol=2e-5)


@pytest.mark.parametrize("op", ["MaxPool", "AveragePool"])
@pytest.mark.parametrize("seed", range(8))
def test_pool(coreml, op, seed):
    rng = np.random.default_rng(seed)
    attrs, sizes = window(rng, 1 + seed % 3)
    if attrs["auto_pad"] == "NOTSET":
        attrs["ceil_mode"] = seed % 2
    if op == "AveragePool":
        attrs["count_include_pad"] = seed // 2 % 2
    coreml.check(op, [rng.standard_normal((1, 2, *sizes)).astype(np.float32)], attrs)


def test_native_ops_are_used(coreml, draw):
    x, w = draw("float32", 1, 3, 8, 8), draw("float32", 4, 3, 3, 3)
    assert coreml.emitted("Conv", [x, w], const=(1,)) == ["conv"]
    assert coreml.emitted("MaxPool", [x], {"kernel_shape": [2, 2]}) == ["max_pool"]
    assert coreml.emitted("Gemm", [draw("float32", 2, 3), draw("float32", 3, 4)], const=(1,)) == ["linear"]
    scale = [np.ones(3, np.float32), np.zeros(3, np.float32)]
    assert coreml.emitted("InstanceNormalization", [x, *scale], const=(1, 2)) == ["instance_norm"]
    sizes = np.array([1, 3, 16, 16])
    assert coreml.emitted("Resize", [x, None, None, sizes], {"mode": "linear"}, const=(3,)) == [
        "resize_bilinear"
    ]


@pytest.mark.parametrize(
    ("a", "b"), [((3,), (3,)), ((2, 3), (3,)), ((3,), (2, 3, 4)), ((2, 1, 2, 3), (4, 3, 2))]
)
def test_matmul_of_any_ranks(coreml, draw, a, b):
    for const in ((), (1,)):
        coreml.check("MatMul", [draw("float32", *a), draw("float32", *b)], const=const, atol=1e-5)


@pytest.mark.parametrize("attrs", [{}, {"transA": 1}, {"transB": 1, "alpha": 0.5, "beta": 2.0}])
def test_gemm(coreml, draw, attrs):
    a = draw("float32", *((4, 3) if attrs.get("transA") else (3, 4)))
    b = draw("float32", *((5, 4) if attrs.get("transB") else (4, 5)))
    for c in (draw("float32", 5), draw("float32", 3, 1), np.float32(2)):
        coreml.check("Gemm", [a, b, c], attrs, const=(1, 2), atol=1e-5)


def test_lrn_takes_odd_sizes(coreml, draw):
    attrs = {"alpha": 0.5, "beta": 0.6, "bias": 2.0}
    coreml.check("LRN", [draw("float32", 1, 6, 3, 3)], {**attrs, "size": 3})
    assert "even" in coreml.refused("LRN", [draw("float32", 1, 6, 3, 3)], {**attrs, "size": 4})


@pytest.mark.parametrize("kind", ["RNN", "GRU", "LSTM"])
@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
def test_recurrent(coreml, draw, kind, direction):
    gates, count = {"RNN": 1, "GRU": 3, "LSTM": 4}[kind], 1 + (direction == "bidirectional")
    w, r = draw("float32", count, gates * 5, 4, scale=0.5), draw("float32", count, gates * 5, 5, scale=0.5)
    bias, start = draw("float32", count, gates * 10, scale=0.5), draw("float32", count, 2, 5)
    states = [start, start] if kind == "LSTM" else [start]
    attrs = {"hidden_size": 5, "direction": direction}
    x = draw("float32", 6, 2, 4)
    outputs = 2 + (kind == "LSTM")
    coreml.check(
        kind, [x, w, r, bias, None, *states], attrs, const=(1, 2, 3), outputs=outputs, atol=1e-5, rtol=1e-4
    )
    lengths = np.array([6, 3], np.int32)
    coreml.check(
        kind, [x, w, r, bias, lengths], attrs, const=(1, 2, 3, 4), outputs=outputs, atol=1e-5, rtol=1e-4
    )
    if kind == "LSTM":
        assert coreml.emitted(kind, [x, w, r, bias], attrs, const=(1, 2, 3)).count("lstm") == 1


@pytest.mark.parametrize("mode", ["nearest", "linear", "cubic"])
@pytest.mark.parametrize("how", ["half_pixel", "align_corners", "asymmetric", "pytorch_half_pixel"])
def test_resize(coreml, draw, mode, how):
    x = draw("float32", 1, 2, 4, 5)
    attrs = {"mode": mode, "coordinate_transformation_mode": how}
    for scales in ([1, 1, 2, 3], [1, 1, 0.5, 1.6]):
        operands = [x, None, np.array(scales, np.float32)]
        if how == "align_corners" and scales[2] < 1:
            operands = [x, None, None, np.array([1, 2, 2, 8])]
        coreml.check("Resize", operands, attrs, const=(2, 3), atol=2e-5)
