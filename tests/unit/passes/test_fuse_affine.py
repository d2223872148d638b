"""Scaling and shifting folds into the weights before it, exactly but for rounding."""

from __future__ import annotations

import numpy as np
import pytest

from edgekit.ir import origin_of

RNG = np.random.default_rng(11)


def f(*shape):
    return RNG.uniform(0.4, 1.6, shape).astype(np.float32)


NORM = {"s": f(6), "b": f(6), "m": f(6), "v": f(6)}
BN = "BatchNormalization <epsilon = 0.001>"


@pytest.mark.parametrize(
    ("body", "constants", "left"),
    [
        (f"c = Conv(x, w) y = {BN} (c, s, b, m, v)", {"w": f(6, 4, 3, 2)}, ["Conv"]),
        (
            f"c = Conv <group = 2> (x, w, q) y = {BN} (c, s, b, m, v)",
            {"w": f(6, 2, 3, 3), "q": f(6)},
            ["Conv"],
        ),
        (f"c = ConvTranspose(x, w) y = {BN} (c, s, b, m, v)", {"w": f(4, 6, 3, 2)}, ["ConvTranspose"]),
        (
            f"c = ConvTranspose <group = 2> (x, w, q) y = {BN} (c, s, b, m, v)",
            {"w": f(4, 3, 2, 3), "q": f(6)},
            ["ConvTranspose"],
        ),
        ("c = Conv(x, w) y = Mul(c, k)", {"w": f(6, 4, 2, 2), "k": f(6, 1, 1)}, ["Conv"]),
        ("c = Conv(x, w) y = Mul(k, c)", {"w": f(6, 4, 2, 2), "k": f(1, 6, 1, 1)}, ["Conv"]),
        ("c = Conv(x, w) d = Mul(c, k) y = Add(d, k)", {"w": f(6, 4, 2, 2), "k": f(6, 1, 1)}, ["Conv"]),
        ("c = Conv(x, w) y = Sub(k, c)", {"w": f(6, 4, 2, 2), "k": f(6, 1, 1)}, ["Conv"]),
        ("c = Conv(x, w) y = Div(c, k)", {"w": f(6, 4, 2, 2), "k": np.float32(3)}, ["Conv"]),
        ("c = Conv(x, w) y = Add(c, k)", {"w": f(6, 4, 2, 2), "k": f(1)}, ["Conv"]),
        # not affine, or not per channel, or of another shape
        ("c = Conv(x, w) y = Div(k, c)", {"w": f(6, 4, 2, 2), "k": f(6, 1, 1)}, ["Conv", "Div"]),
        ("c = Conv(x, w) y = Mul(c, k)", {"w": f(6, 4, 2, 2), "k": f(5)}, ["Conv", "Mul"]),
        ("c = Conv(x, w) y = Mul(c, k)", {"w": f(6, 4, 2, 2), "k": f(1, 1, 1, 1, 1)}, ["Conv", "Mul"]),
        ("c = Conv(x, w) y = Mul(c, c)", {"w": f(6, 4, 2, 2)}, ["Conv", "Mul"]),
        ("c = Conv(x, w) y = Div(c, k)", {"w": f(6, 4, 2, 2), "k": np.float32(0)}, ["Conv", "Div"]),
        ("c = Conv(x, w) y = Mul(c, k)", {"w": f(6, 4, 2, 2) * 1e30, "k": np.float32(1e30)}, ["Conv", "Mul"]),
        # the result of the convolution is needed as such
        (
            "c = Conv(x, w) d = Mul(c, k) y = Add(d, c)",
            {"w": f(6, 4, 2, 2), "k": f(6, 1, 1)},
            ["Conv", "Mul", "Add"],
        ),
        # no weights before it
        (
            f"p = Conv(x, w) r = Relu(p) y = {BN} (r, s, b, m, v)",
            {"w": f(6, 4, 1, 1)},
            ["Conv", "Relu", "Mul", "Add"],
        ),
    ],
)
def test_convolution(lab, body, constants, left):
    used = constants | {k: v for k, v in NORM.items() if f" {k}," in body or f" {k})" in body}
    model = lab.proto(f"(float[2,4,5,6] x) => (float[a,b,c,d] y) {{ {body} }}", 17, **used)
    result = lab.keeps(model, rtol=2e-5, atol=2e-6)
    assert lab.types(result) == left


@pytest.mark.parametrize("trans", [0, 1])
@pytest.mark.parametrize("bias", [(5,), (1, 5), (1,), (), None, (3, 5)])
def test_gemm(lab, trans, bias):
    weights = f(5, 4) if trans else f(4, 5)
    third, constants = ("", {}) if bias is None else (", q", {"q": f(*bias)})
    body = f"c = Gemm <transB = {trans}, alpha = 0.5, beta = 2.0> (x, w{third}) y = Mul(c, k)"
    model = lab.proto(f"(float[3,4] x) => (float[a,b] y) {{ {body} }}", 17, w=weights, k=f(5), **constants)
    result = lab.keeps(model)
    assert lab.types(result) == (["Gemm", "Mul"] if bias == (3, 5) else ["Gemm"])


def test_result_that_is_an_output_is_kept(lab):
    text = "(float[1,4,5,6] x) => (float[a,b,c,d] y, float[e,f,g,h] c) { c = Conv(x, w) y = Mul(c, k) }"
    text = text.replace("float[a,b,c,d] y, float[e,f,g,h] c", "float[a,b,p,d] y, float[e,f,g,h] c")
    model = lab.proto(text, 17, w=f(6, 4, 1, 1), k=f(6, 1, 1))
    assert lab.types(lab.keeps(model)) == ["Conv", "Mul"]


def test_origins_are_united(lab):
    body = f"c = Conv(x, w) d = {BN} (c, s, b, m, v) y = Add(d, k)"
    model = lab.proto(
        f"(float[1,4,5,6] x) => (float[a,b,c,d] y) {{ {body} }}", 17, w=f(6, 4, 1, 1), k=f(6, 1, 1), **NORM
    )
    (node,) = lab.keeps(model).ir.graph
    assert sorted(origin_of(node).nodes) == ["main_Add_2", "main_BatchNormalization_1", "main_Conv_0"]
    assert node.outputs[0].name == "y"


def test_training_mode_is_not_touched(lab):
    body = "c = Conv(x, w) y, p, q = BatchNormalization <training_mode = 1> (c, s, b, m, v)"
    model = lab.proto(
        f"(float[2,4,5,6] x) => (float[a,b,c,d] y, float[e] p, float[g] q) {{ {body} }}",
        17,
        w=f(6, 4, 1, 1),
        **NORM,
    )
    assert lab.types(lab.keeps(model)) == ["Conv", "BatchNormalization"]


def test_denormal_weights_do_not_prevent_it(lab):
    """Weight decay leaves some numbers below the smallest normal one."""
    weights = f(6, 4, 1, 1)
    weights[2] = 1e-41
    model = lab.proto(
        "(float[1,4,5,6] x) => (float[a,b,c,d] y) { c = Conv(x, w) y = Mul(c, k) }",
        17,
        w=weights,
        k=f(6, 1, 1),
    )
    assert lab.types(lab.keeps(model)) == ["Conv"]


def test_computed_statistics_stay_a_batch_normalization(lab):
    text = f"(float[2,6,4] x, float[6] s) => (float[a,b,c] y) {{ y = {BN} (x, s, b, m, v) }}"
    model = lab.proto(text, 17, **{k: v for k, v in NORM.items() if k != "s"})
    assert lab.types(lab.keeps(model)) == ["BatchNormalization"]
