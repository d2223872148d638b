"""Activations, softmax and normalisation: values over the whole range, shapes, axes, dtypes."""

from __future__ import annotations

import numpy as np
import pytest

RANGE = np.concatenate(
    [np.linspace(-100, 100, 401), [0, 1e-3, -1e-3, 1e-7, -1e-7, 88, -88, 3, -3, 6, 1e6, -1e6]]
).astype(np.float32)

ACTIVATIONS = [
    ("Relu", {}),
    ("Sigmoid", {}),
    ("Tanh", {}),
    ("HardSwish", {}),
    ("Gelu", {}),
    ("Gelu", {"approximate": "tanh"}),
    ("LeakyRelu", {}),
    ("LeakyRelu", {"alpha": -0.5}),
    ("LeakyRelu", {"alpha": 0.0}),
    ("Elu", {}),
    ("Elu", {"alpha": 0.5}),
    ("Selu", {}),
    ("Selu", {"alpha": 2.0, "gamma": 3.0}),
    ("Celu", {}),
    ("Celu", {"alpha": 2.0}),
    ("ThresholdedRelu", {"alpha": 2.0}),
    ("HardSigmoid", {}),
    ("HardSigmoid", {"alpha": 1 / 6, "beta": 0.5}),
    ("Softplus", {}),
    ("Mish", {}),
    ("Softsign", {}),
    ("Swish", {"alpha": 0.5}),
]


def exactly(op, attrs, x):
    """The activations that no ONNX Runtime computes, or not precisely, in float64."""
    x = x.astype(np.float64)
    match op:
        case "Softplus":
            return np.logaddexp(x, 0)
        case "Mish":
            return x * np.tanh(np.logaddexp(x, 0))
        case "Swish":
            return x / (1 + np.exp(np.clip(-attrs["alpha"] * x, None, 700)))
    return None


@pytest.mark.parametrize(("op", "attrs"), ACTIVATIONS)
def test_activation(bench, op, attrs):
    opset = 24 if op == "Swish" else 22
    for x, dynamic in ((RANGE, ()), (RANGE[:400].reshape(2, 4, 50), (0,))):
        exact = exactly(op, attrs, x)
        expected = None if exact is None else [exact.astype(np.float32)]
        bench.check(op, [x], attrs, opset=opset, dynamic=dynamic, expected=expected)


def test_softplus_and_mish_keep_their_relative_precision(bench):
    x = np.linspace(-60, -1, 200, dtype=np.float32)
    for op in ("Softplus", "Mish"):
        expected = exactly(op, {}, x).astype(np.float32)
        bench.check(op, [x], expected=[expected], opset=22, rtol=1e-5, atol=0)


@pytest.mark.parametrize("slope", [(3, 1, 1), (5,), (1,), (), (3, 4, 5), (4, 1)])
@pytest.mark.parametrize("dtype", ["float32", "int32", "int64"])
def test_prelu(bench, rng, slope, dtype):
    x, s = (rng.uniform(-50, 50, shape).astype(dtype) for shape in ((2, 3, 4, 5), slope))
    bench.check("PRelu", [x, s], const=(1,), opset=16)
    bench.check("PRelu", [x, s], dynamic={0: (0,)}, opset=16)


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0, 6, ["RELU6"]),
        (-1, 1, ["RELU_N1_TO_1"]),
        (0, None, ["RELU"]),
        (None, 2, ["MINIMUM"]),
        (2, 3, ["MAXIMUM", "MINIMUM"]),
        (3, 2, ["MAXIMUM", "MINIMUM"]),
    ],
)
def test_clip(bench, draw, low, high, expected):
    limits = [None if v is None else np.asarray(v, np.float32) for v in (low, high)]
    inputs = [draw("float32", 3, 50), *limits[: 1 if high is None else 2]]
    assert bench.emitted("Clip", inputs, const=(1, 2), opset=13) == expected
    bench.check("Clip", inputs, const=(1, 2), opset=13)
    bench.check("Clip", inputs, dynamic=(0,), opset=13)


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int32", "int64", "float16"])
def test_clip_of_other_dtypes(bench, draw, dtype):
    inputs = [draw(dtype, 30), np.asarray(2, dtype), np.asarray(40, dtype)]
    bench.check("Clip", inputs, const=(1, 2), opset=13)


SHAPES = [(3,), (2, 3), (2, 3, 4), (2, 3, 4, 5), (3, 3, 3, 3), (2, 2, 2, 2, 3), (2, 1, 2, 1, 2, 3)]


@pytest.mark.parametrize("op", ["Softmax", "LogSoftmax", "Hardmax"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_softmax_along_every_axis(bench, draw, op, shape):
    x = np.round(draw("float32", *shape, scale=30))  # rounded: with equal maxima
    for axis in range(-1, len(shape)):
        bench.check(op, [x], {"axis": axis}, dynamic={0: (0,)} if axis != 0 and len(shape) > 1 else ())


def test_softmax_does_not_overflow(bench):
    bench.check("Softmax", [np.float32([[1e4, 1e4 - 1, -1e4]])])
    bench.check("LogSoftmax", [np.float32([[1e4, 1e4 - 1, -1e4]])])


IMAGES = [(2, 3, 5), (2, 3, 4, 5), (3, 3, 3, 3), (1, 4, 2, 3, 4)]


@pytest.mark.parametrize("shape", [(5, 3), *IMAGES], ids=str)
@pytest.mark.parametrize("const", [(1, 2, 3, 4), ()], ids=["constant", "computed"])
def test_batch_normalization(bench, draw, shape, const):
    channels = shape[1]
    inputs = [draw("float32", *shape), *(draw("float32", channels) for _ in range(3))]
    inputs.append(np.abs(draw("float32", channels)))
    bench.check("BatchNormalization", inputs, {"epsilon": 1e-3}, const=const, dynamic={0: (0,)}, atol=1e-5)


def test_batch_normalization_in_training(bench, draw):
    inputs = [draw("float32", 4, 3, 5), *(draw("float32", 3) for _ in range(3))]
    inputs.append(np.abs(draw("float32", 3)))
    attrs = {"training_mode": 1, "momentum": 0.7}
    bench.check("BatchNormalization", inputs, attrs, outputs=3, const=(1, 2, 3, 4), atol=1e-5)


@pytest.mark.parametrize("shape", IMAGES, ids=str)
def test_instance_normalization(bench, draw, shape):
    inputs = [draw("float32", *shape) * 3 + 2, *(draw("float32", shape[1]) for _ in range(2))]
    for const in ((1, 2), ()):
        bench.check("InstanceNormalization", inputs, const=const, dynamic={0: (0, 2)}, atol=1e-5)


@pytest.mark.parametrize("shape", IMAGES, ids=str)
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_layer_and_rms_normalization(bench, draw, shape, dtype):
    near = {"rtol": 1e-5, "atol": 2e-5} if dtype == "float32" else {"rtol": 5e-3, "atol": 5e-3}
    for axis in (1, -1):
        rest = shape[axis % len(shape) :]
        x, scale, bias = draw(dtype, *shape), draw(dtype, *rest), draw(dtype, *rest)
        attrs = {"axis": axis, "epsilon": 1e-3}
        bench.check("LayerNormalization", [x, scale, bias], attrs, outputs=3, const=(1, 2), opset=17, **near)
        bench.check("RMSNormalization", [x, scale], attrs, const=(1,), opset=23, **near)


@pytest.mark.parametrize("shape", [(2, 6, 5), (2, 6, 3, 3)], ids=str)
@pytest.mark.parametrize("groups", [1, 2, 3, 6])
def test_group_normalization(bench, draw, shape, groups):
    inputs = [draw("float32", *shape), draw("float32", 6), draw("float32", 6)]
    bench.check("GroupNormalization", inputs, {"num_groups": groups}, const=(1, 2), opset=21, atol=1e-5)


@pytest.mark.parametrize("p", [1, 2])
@pytest.mark.parametrize("axis", [0, 1, 2, -1])
def test_lp_normalization(bench, draw, p, axis):
    x = draw("float32", 3, 4, 5)
    x[:, :2, 1] = x[1] = 0  # a norm of 0 gives 0
    bench.check("LpNormalization", [x], {"p": p, "axis": axis}, dynamic={0: (0,)}, opset=22)


@pytest.mark.parametrize("size", [1, 3, 5])
@pytest.mark.parametrize("beta", [0.75, 0.5, 0.3])
def test_lrn(bench, draw, size, beta):
    attrs = {"size": size, "alpha": 0.1, "beta": beta, "bias": 2.0}
    bench.check("LRN", [draw("float32", 2, 7, 3, 4)], attrs, dynamic={0: (0,)})


def test_lrn_of_even_size(bench, draw):
    """ONNX counts one channel more behind than in front; ONNX Runtime takes odd sizes only."""
    x = draw("float32", 1, 6, 2, 2)
    squares = np.pad(x**2, ((0, 0), (1, 2), (0, 0), (0, 0)))
    sums = sum(squares[:, k : k + 6] for k in range(4))
    expected = x / (1 + 0.1 / 4 * sums) ** 0.75
    attrs = {"size": 4, "alpha": 0.1, "beta": 0.75, "bias": 1.0}
    bench.check("LRN", [x], attrs, expected=[expected])
