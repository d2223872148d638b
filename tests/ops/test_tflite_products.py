"""Matrix products: MatMul, Gemm, Einsum, and those of quantised tensors."""

from __future__ import annotations

import numpy as np
import pytest

SHAPES = [
    ((3, 4), (4, 5)),
    ((4,), (4, 5)),
    ((3, 4), (4,)),
    ((4,), (4,)),
    ((2, 3, 4), (4, 5)),
    ((2, 3, 4), (2, 4, 5)),
    ((4,), (2, 4, 5)),
    ((2, 1, 3, 4), (5, 4, 6)),
    ((3, 3), (3, 3)),
    ((2, 3, 2, 2, 3, 4), (2, 3, 2, 2, 4, 5)),
]


@pytest.mark.parametrize(("left", "right"), SHAPES)
@pytest.mark.parametrize("const", [(), (1,), (0,)])
def test_matmul(bench, draw, left, right, const):
    bench.check("MatMul", [draw("float32", *left), draw("float32", *right)], const=const, atol=1e-5)


@pytest.mark.parametrize(("left", "right"), SHAPES[:-1])
def test_matmul_of_sizes_known_at_run_time(bench, draw, left, right):
    bench.check("MatMul", [draw("float32", *left), draw("float32", *right)], dynamic=(0, 1), atol=1e-5)


@pytest.mark.parametrize("dtype", ["int32", "int64", "uint32", "uint64"])
@pytest.mark.parametrize(("left", "right"), [((3, 4), (4, 5)), ((4,), (4,)), ((2, 3, 4), (2, 4, 5))])
def test_integers_wrap(bench, draw, dtype, left, right):
    x, y = draw(dtype, *left), draw(dtype, *right)
    with np.errstate(over="ignore"):
        bench.check("MatMul", [x, y], expected=[np.matmul(x, y)])


def test_a_product_of_nothing_is_zero(bench, draw):
    bench.check("MatMul", [draw("float32", 3, 0), draw("float32", 0, 2)])


def test_constant_weights_are_fully_connected(bench, draw):
    x, w = draw("float32", 2, 3, 4), draw("float32", 4, 5)
    assert bench.emitted("MatMul", [x, w], const=(1,)) == ["FULLY_CONNECTED"]
    assert bench.emitted("MatMul", [x, w]) == ["BATCH_MATMUL"]
    inputs = [draw("float32", 2, 4), draw("float32", 5, 4), draw("float32", 5)]
    attrs = {"transB": 1, "alpha": 0.5, "beta": 2.0}
    assert bench.emitted("Gemm", inputs, attrs, const=(1, 2)) == ["FULLY_CONNECTED"]


@pytest.mark.parametrize("seed", range(30))
def test_gemm(bench, seed):
    rng = np.random.default_rng(seed)
    rows, inner, columns = (int(i) for i in rng.integers(1, 5, 3))
    attrs = {"transA": int(rng.integers(2)), "transB": int(rng.integers(2))}
    attrs |= {"alpha": float(rng.choice([0.0, 0.5, 1.0])), "beta": float(rng.choice([0.0, 0.25, 1.0]))}
    a = rng.standard_normal((inner, rows) if attrs["transA"] else (rows, inner)).astype(np.float32)
    w = rng.standard_normal((columns, inner) if attrs["transB"] else (inner, columns)).astype(np.float32)
    shapes = [(columns,), (rows, columns), (rows, 1), (1, columns), (1,), ()]
    c = rng.standard_normal(shapes[rng.integers(6)]).astype(np.float32)
    const = [(), (1,), (1, 2), (2,)][rng.integers(4)]
    bench.check("Gemm", [a, w, c], attrs, const=const, dynamic=[(), (0,)][seed % 2], atol=1e-5)


@pytest.mark.parametrize(
    "equation",
    ["ij,jk->ik", "ij,jk", "ij->ji", "ij->", "ii->i", "ii", "i,j->ij", "bij,bjk->bik", "bqhd,bkhd->bhqk",
     "bhqk,bkhd->bqhd", "ijk,ijl->kl", "ij,ij->", "iij->ij", "abc,cd->abd", "ij,jk,kl->il", "i,i->i",
     "ijk->kij", "ab,abcd->cd", "bij, bjk -> bik"],
)  # fmt: skip
@pytest.mark.parametrize("dynamic", [(), (0,)], ids=["static", "dynamic"])
def test_einsum(bench, draw, equation, dynamic):
    sizes = dict(zip("ijklabcdhq", (2, 3, 4, 5, 6, 2, 7, 5, 3, 4), strict=True))
    terms = equation.replace(" ", "").split("->")[0].split(",")
    if dynamic and any(len(set(t)) < len(t) for t in terms):
        return  # see the refusal below
    inputs = [draw("float32", *(sizes[c] for c in term)) for term in terms]
    bench.check("Einsum", inputs, {"equation": equation}, dynamic=dynamic, opset=12, atol=1e-4)


@pytest.mark.parametrize(
    ("equation", "shapes"),
    [
        ("...ij,...jk->...ik", ((2, 3, 4, 5), (2, 3, 5, 6))),
        ("...ii->...i", ((2, 3, 3),)),
        ("b...,b...->b", ((2, 3, 4), (2, 3, 4))),
        ("...,...->...", ((2, 1, 4), (2, 3, 4))),
        ("i...->...", ((2, 3, 4),)),
        ("ij...,jk...", ((2, 3, 4), (3, 5, 4))),
    ],
)
def test_einsum_with_an_ellipsis(bench, draw, equation, shapes):
    inputs = [draw("float32", *s) for s in shapes]
    bench.check("Einsum", inputs, {"equation": equation}, opset=12, atol=1e-5)


def test_a_diagonal_of_unknown_size_is_refused(bench, draw):
    text = bench.refused("Einsum", [draw("float32", 3, 3)], {"equation": "ii->i"}, dynamic=(0,))
    assert "the diagonal of `i`" in text


@pytest.mark.parametrize("inner", [3, 300, 2000, 5000])
@pytest.mark.parametrize(("left", "right"), [("uint8", "uint8"), ("uint8", "int8"), ("int8", "int8")])
def test_sums_of_integer_products_are_exact(bench, draw, inner, left, right):
    """5000 products of 255 * 255 need 29 bits; float32 has 24."""
    a, w = draw(left, 2, inner), draw(right, inner, 3)
    a[0], w[:, 0] = np.iinfo(left).max, np.iinfo(right).min
    zeros = [np.asarray(np.iinfo(left).min, left), np.asarray(np.iinfo(right).max, right)]
    bench.check("MatMulInteger", [a, w, *zeros], const=(2, 3))
    bench.check("MatMulInteger", [a, w, *zeros], const=(1, 2, 3), dynamic={0: (0,)})


def test_zero_points_of_rows_and_columns(bench, draw):
    a, w = draw("uint8", 2, 5), draw("int8", 5, 3)
    wide = (a.astype(int) - np.array([[3], [200]])) @ (w.astype(int) - np.array([1, -2, 3]))
    points = [np.array([3, 200], np.uint8), np.array([1, -2, 3], np.int8)]
    bench.check("MatMulInteger", [a, w, *points], const=(1, 2, 3), expected=[wide.astype(np.int32)])


@pytest.mark.parametrize("seed", range(20))
def test_quantised_convolutions(bench, seed):
    rng = np.random.default_rng(seed)
    axes, group = int(rng.choice([1, 2, 2, 3])), int(rng.choice([1, 1, 2, 3]))
    inputs, outputs = group * int(rng.choice([1, 2, 40])), group * int(rng.integers(1, 4))
    signed = [np.uint8, np.int8][seed % 2]
    kernel = rng.integers(1, 4, axes)

    def whole(dtype, *shape):
        limits = np.iinfo(dtype)
        return rng.integers(limits.min, limits.max, shape, dtype=dtype, endpoint=True)

    x, w = (
        whole(np.uint8, 2, inputs, *(6 for _ in range(axes))),
        whole(signed, outputs, inputs // group, *kernel),
    )
    attrs = {"group": group, "pads": rng.integers(0, 2, 2 * axes).tolist(), "strides": [2] * axes}
    zero = np.asarray(131, np.uint8)
    bench.check("ConvInteger", [x, w, zero, np.asarray(3, signed)], attrs, const=(1, 2, 3), dynamic={0: (0,)})
    scales = rng.uniform(0.005, 0.05, outputs).astype(np.float32)
    step = np.asarray(0.02 * (inputs * kernel.prod()) ** 0.5, np.float32)
    bias = rng.integers(-5000, 5000, outputs, dtype=np.int32)
    operands = [x, np.float32(0.01), zero, w, scales, np.zeros(outputs, signed), step, zero, bias]
    bench.check("QLinearConv", [np.asarray(o) for o in operands], attrs, const=range(1, 9), dynamic={0: (0,)})


@pytest.mark.parametrize("dtype", ["uint8", "int8"])
def test_qlinear_matmul(bench, draw, dtype):
    a, w = draw(dtype, 3, 50), draw(dtype, 50, 4)
    point = np.asarray(7, dtype)
    for scale in (np.float32(0.02), np.linspace(0.01, 0.04, 4, dtype=np.float32)):
        points = np.full(np.shape(scale), 7, dtype)
        operands = [a, np.float32(0.01), point, w, scale, points, np.float32(1.5), point]
        bench.check("QLinearMatMul", [np.asarray(o) for o in operands], const=range(1, 8))
