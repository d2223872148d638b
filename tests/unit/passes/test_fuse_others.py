"""MatMul and Add, and Pad, fold into their neighbours where that is exact."""

from __future__ import annotations

import numpy as np
import pytest

RNG = np.random.default_rng(12)


def f(*shape):
    return RNG.standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize(
    ("inputs", "bias", "left"),
    [
        ("float[3,4] x", f(5), ["Gemm"]),
        ("float[3,4] x", f(1, 5), ["Gemm"]),
        ("float[3,4] x", f(3, 1), ["Gemm"]),
        ("float[3,4] x", f(), ["Gemm"]),
        ("float[N,4] x", f(5), ["Gemm"]),
        ("float[3,4] x", f(2, 3, 5), ["MatMul", "Add"]),
        ("float[2,3,4] x", f(5), ["MatMul", "Add"]),
        ("float[1,4] x", f(3, 5), ["MatMul", "Add"]),
    ],
)
@pytest.mark.parametrize("order", ["m, b", "b, m"])
def test_matmul_and_add(lab, inputs, bias, left, order):
    text = f"({inputs}) => (float y) {{ m = MatMul(x, w) y = Add({order}) }}"
    model = lab.proto(text, 17, w=f(4, 5), b=bias)
    model.graph.output[0].type.tensor_type.ClearField("shape")
    assert lab.types(lab.keeps(model)) == left


PAD = 'Pad <mode = "constant">'


@pytest.mark.parametrize(
    ("body", "constants", "left"),
    [
        ("p = Pad(x, n) y = Conv(p, w)", {"n": [0, 0, 1, 2, 0, 0, 0, 1]}, ["Conv"]),
        ("p = Pad(x, n) y = Conv <pads = [1, 0, 1, 1]> (p, w)", {"n": [0, 0, 1, 2, 0, 0, 0, 1]}, ["Conv"]),
        ("p = Pad(x, n, one) y = Conv(p, w)", {"n": [0, 0, 1, 2, 0, 0, 0, 1]}, ["Pad", "Conv"]),
        ("p = Pad(x, n) y = Conv(p, v)", {"n": [0, 1, 1, 2, 0, 1, 0, 1]}, ["Pad", "Conv"]),
        ("p = Pad(x, n) y = Conv(p, w)", {"n": [0, 0, 1, -1, 0, 0, 0, 1]}, ["Pad", "Conv"]),
        ('p = Pad <mode = "edge"> (x, n) y = Conv(p, w)', {"n": [0, 0, 1, 1, 0, 0, 0, 1]}, ["Pad", "Conv"]),
        (
            'p = Pad(x, n) y = Conv <auto_pad = "SAME_UPPER"> (p, w)',
            {"n": [0, 0, 1, 1, 0, 0, 0, 1]},
            ["Pad", "Conv"],
        ),
        (
            "p = Pad(x, n) y = AveragePool <kernel_shape = [3, 3]> (p)",
            {"n": [0, 0, 1, 2, 0, 0, 0, 1]},
            ["AveragePool"],
        ),
        (
            "p = Pad(x, n) y = AveragePool <kernel_shape = [3, 3], pads = [1, 1, 1, 1]> (p)",
            {"n": [0, 0, 1, 1, 0, 0, 0, 1]},
            ["Pad", "AveragePool"],
        ),
        (
            "p = Pad(x, n) y = AveragePool <kernel_shape = [2, 2]> (p)",
            {"n": [0, 0, 3, 1, 0, 0, 0, 1]},
            ["Pad", "AveragePool"],
        ),
        (
            "p = Pad(x, n) y = MaxPool <kernel_shape = [3, 3]> (p)",
            {"n": [0, 0, 1, 1, 0, 0, 0, 1]},
            ["Pad", "MaxPool"],
        ),
        (
            "r = Relu(x) p = Pad(r, n) y = MaxPool <kernel_shape = [3, 3]> (p)",
            {"n": [0, 0, 1, 1, 0, 0, 0, 1]},
            ["Relu", "MaxPool"],
        ),
        (
            "p = Pad(x, n, low) y = MaxPool <kernel_shape = [3, 3]> (p)",
            {"n": [0, 0, 1, 1, 0, 0, 0, 1]},
            ["MaxPool"],
        ),
    ],
)
def test_pad(lab, body, constants, left):
    available = {
        "w": f(3, 2, 3, 2),
        "v": f(3, 4, 3, 2),
        "one": np.float32(1),
        "low": np.float32(-np.inf),
        **{k: np.asarray(v, np.int64) for k, v in constants.items()},
    }
    used = {k: v for k, v in available.items() if f" {k})" in body or f" {k}," in body}
    model = lab.proto(f"(float[2,2,6,7] x) => (float[a,b,c,d] y) {{ {body} }}", 17, **used)
    assert lab.types(lab.keeps(model)) == left


def test_pad_with_another_reader_stays_for_it(lab):
    body = "p = Pad(x, n) y = Conv(p, w) z = Abs(p)"
    text = f"(float[1,2,5,5] x) => (float[a,b,c,d] y, float[e,f,g,h] z) {{ {body} }}"
    model = lab.proto(text, 17, w=f(3, 2, 3, 3), n=np.int64([0, 0, 1, 1, 0, 0, 1, 1]))
    assert lab.types(lab.keeps(model)) == ["Pad", "Conv", "Abs"]


@pytest.mark.parametrize(
    ("body", "left"),
    [
        ("a = Mul(x, c) y = Mul(a, d)", ["Mul"]),
        ("a = Mul(c, x) b = Mul(a, d) y = Mul(e, b)", ["Mul"]),
        ("a = Add(x, c) y = Add(e, a)", ["Add"]),
        ("a = Mul(x, c) y = Add(a, d)", ["Mul", "Add"]),
        ("a = Mul(x, c) b = Mul(a, d) y = Add(b, a)", ["Mul", "Mul", "Add"]),
        ("a = Mul(x, row) y = Mul(a, column)", ["Mul", "Mul"]),
        ("a = Mul(x, huge) y = Mul(a, huge)", ["Mul", "Mul"]),
    ],
)
def test_constants_in_a_row(lab, body, left):
    available = {
        "c": f(4),
        "d": f(1),
        "e": f(3, 4),
        "row": f(1, 4),
        "column": f(3, 1),
        "huge": np.float32(1e30),
    }
    used = {k: v for k, v in available.items() if any(f"{p}{k}{q}" in body for p in "( " for q in ",)")}
    model = lab.proto(f"(float[3,4] x) => (float[3,4] y) {{ {body} }}", 17, **used)
    assert lab.types(lab.keeps(model)) == left
