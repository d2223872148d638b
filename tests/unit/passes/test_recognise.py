"""Ops that exporters took apart are put together again, and nothing else is."""

from __future__ import annotations

import numpy as np
import pytest

F = np.float32
NUMBERS = {
    "three": F(3),
    "six": F(6),
    "sixth": F(1 / 6),
    "nought": F(0),
    "one": F(1),
    "half": F(0.5),
    "two": F(2),
    "root": F(2**0.5),
    "inverse": F(0.5**0.5),
    "slope": F((2 / np.pi) ** 0.5),
    "cubic": F(0.044715),
    "cube": F(3),
    "seven": F(7),
    "eps": F(1e-5),
    "g": np.linspace(0.5, 2, 5).astype(F),
    "h": np.linspace(-1, 1, 5).astype(F),
    "last": np.int64([-1]),
    "first": np.int64([0]),
}
GATE = "t = Add(x, three) r = Clip(t, nought, six)"
NORM = (
    "m = ReduceMean(x, last) d = Sub(x, m) q = Pow(d, two)"
    " v = ReduceMean(q, last) e = Add(v, eps) s = Sqrt(e)"
)


@pytest.mark.parametrize(
    ("body", "left"),
    [
        (f"{GATE} p = Mul(x, r) y = Div(p, six)", ["HardSwish"]),
        (f"{GATE} p = Div(r, six) y = Mul(x, p)", ["HardSwish"]),
        (f"{GATE} p = Mul(r, sixth) y = Mul(p, x)", ["HardSwish"]),
        (f"{GATE} p = Mul(r, x) y = Mul(sixth, p)", ["HardSwish"]),
        ("p = HardSigmoid <alpha = 0.16666667, beta = 0.5> (x) y = Mul(x, p)", ["HardSwish"]),
        (f"{GATE} p = Mul(x, r) y = Div(p, seven)", ["Add", "Clip", "Mul", "Div"]),
        (
            "t = Add(x, three) r = Clip(t, nought, seven) p = Mul(x, r) y = Div(p, six)",
            ["Add", "Clip", "Mul", "Div"],
        ),
        ("p = HardSigmoid(x) y = Mul(x, p)", ["HardSigmoid", "Mul"]),
        ("a = Div(x, root) b = Erf(a) c = Add(b, one) e = Mul(x, c) y = Mul(e, half)", ["Gelu"]),
        ("a = Mul(x, inverse) b = Erf(a) c = Add(one, b) e = Mul(x, half) y = Mul(e, c)", ["Gelu"]),
        ("a = Mul(x, inverse) b = Erf(a) c = Add(one, b) e = Mul(c, half) y = Mul(e, x)", ["Gelu"]),
        (
            "a = Pow(x, cube) b = Mul(a, cubic) c = Add(x, b) d = Mul(c, slope) e = Tanh(d) f = Add(e, one)"
            " i = Mul(x, half) y = Mul(i, f)",
            ["Gelu"],
        ),
        (
            "a = Mul(x, x) j = Mul(a, x) b = Mul(cubic, j) c = Add(b, x) d = Mul(slope, c) e = Tanh(d)"
            " f = Add(one, e) i = Mul(x, f) y = Mul(half, i)",
            ["Gelu"],
        ),
        (
            "a = Div(x, two) b = Erf(a) c = Add(b, one) e = Mul(x, c) y = Mul(e, half)",
            ["Div", "Erf", "Add", "Mul", "Mul"],
        ),
        (f"{NORM} n = Div(d, s) p = Mul(n, g) y = Add(p, h)", ["LayerNormalization"]),
        (f"{NORM} n = Div(d, s) p = Mul(g, n) y = Add(h, p)", ["LayerNormalization"]),
        (f"{NORM} n = Div(d, s) y = Mul(n, g)", ["LayerNormalization"]),
        (f"{NORM.replace('Pow(d, two)', 'Mul(d, d)')} n = Div(d, s) y = Mul(n, g)", ["LayerNormalization"]),
    ],
)
def test_recognised(lab, body, left):
    used = {k: v for k, v in NUMBERS.items() if any(f"{p}{k}{q}" in body for p in "( " for q in ",)")}
    model = lab.proto(f"(float[N,3,5] x) => (float[a,b,c] y) {{ {body} }}", 18, **used)
    assert lab.types(lab.keeps(model, atol=3e-6)) == left


def test_normalisation_of_the_first_axis_is_none(lab):
    body = NORM.replace("last", "first")
    used = {k: v for k, v in NUMBERS.items() if k in ("first", "eps", "g", "two")}
    model = lab.proto(
        f"(float[4,3,5] x) => (float[a,b,c] y) {{ {body} n = Div(d, s) y = Mul(n, g) }}", 18, **used
    )
    assert "LayerNormalization" not in lab.types(lab.keeps(model))


def test_parts_that_something_else_reads_stay(lab):
    body = f"{GATE} p = Mul(x, r) y = Div(p, six) z = Relu(r)"
    used = {k: NUMBERS[k] for k in ("three", "nought", "six")}
    model = lab.proto(f"(float[2,5] x) => (float[a,b] y, float[c,e] z) {{ {body} }}", 18, **used)
    lab.keeps(model)


def test_a_result_of_larger_shape_is_none(lab):
    """A number of rank 3 adds axes to a vector."""
    used = {k: NUMBERS[k] for k in ("three", "nought")} | {"six": np.full((1, 1, 1), 6, F)}
    body = "t = Add(x, three) r = Clip(t, nought, six_) p = Mul(x, r) y = Div(p, six)"
    used["six_"] = F(6)
    model = lab.proto(f"(float[5] x) => (float[a,b,c] y) {{ {body} }}", 18, **used)
    assert lab.types(lab.keeps(model))[-1] == "Div"
