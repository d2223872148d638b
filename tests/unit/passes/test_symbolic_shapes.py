"""Shape arithmetic on symbolic sizes ends in constants where that is provable, and only there."""

from __future__ import annotations

import numpy as np
import pytest

from edgekit.passes.symbolic import Product, divide, multiply

CONSTANTS = {
    "zero": np.int64(0),
    "one": np.int64(1),
    "i0": np.int64([0]),
    "i1": np.int64([1]),
    "i2": np.int64([2]),
    "minus": np.int64([-1]),
    "four": np.int64([4]),
    "two": np.int64([2]),
    "half": np.int64([2]),
}


def target(model):
    """The constant targets of all Reshapes, in order; `None` for a computed one."""
    found = []
    for node in model.ir.graph:
        if node.op_type == "Reshape":
            tensor = node.inputs[1].const_value
            found.append(None if tensor is None else tensor.numpy().tolist())
    return found


def prepared(lab, text, sizes, opset=17):
    used = {k: v for k, v in CONSTANTS.items() if f"{k}," in text.replace(")", ",") or f"{k} " in text}
    model = lab.proto(text, opset, **used)
    return lab.keeps(model, sizes=sizes)


@pytest.mark.parametrize("batch", [1, 3])
def test_flatten_by_shape(lab, batch):
    """Shape -> Gather -> Unsqueeze -> Concat -> Reshape, as PyTorch wrote `x.view(x.size(0), -1)`."""
    text = """(float[N,3,4,5] x) => (float[a,b] y) {
        s = Shape(x) n = Gather <axis = 0> (s, zero) u = Unsqueeze(n, i0)
        t = Concat <axis = 0> (u, minus) y = Reshape(x, t) }"""
    model = prepared(lab, text, {"N": batch})
    assert lab.types(model) == ["Reshape"]
    assert target(model) == [[0, -1]]
    assert [str(d) for d in model.ir.graph.outputs[0].shape] == ["N", "60"]


@pytest.mark.parametrize("sizes", [{"N": 1, "H": 4, "W": 6}, {"N": 2, "H": 2, "W": 5}])
def test_channel_shuffle_with_three_symbols(lab, sizes):
    text = """(float[N,4,H,W] x) => (float[a,b,c,d] y) {
        s = Shape(x) n = Gather(s, i0) h = Gather(s, i2) w = Slice(s, minus, four)
        t = Concat <axis = 0> (n, two, two, h, w) r = Reshape(x, t)
        p = Transpose <perm = [0, 2, 1, 3, 4]> (r) y = Reshape(p, s) }"""
    model = prepared(lab, text, sizes)
    assert lab.types(model) == [
        "Shape",
        "Gather",
        "Gather",
        "Slice",
        "Concat",
        "Reshape",
        "Transpose",
        "Reshape",
    ] or (len(lab.types(model)) < 9)


def test_product_of_batch_and_heads(lab):
    """`n * 2` rows and back: the product is divided again."""
    text = """(float[N,4,6] x) => (float[a,b,c] y) {
        s = Shape(x) n = Gather(s, i0) m = Mul(n, two) t = Concat <axis = 0> (m, two, minus)
        r = Reshape(x, t) a = Relu(r)
        q = Shape(a) k = Gather(q, i0) d = Div(k, two) u = Concat <axis = 0> (d, four, minus)
        y = Reshape(a, u) }"""
    model = prepared(lab, text, {"N": 3})
    assert lab.types(model)[-1] == "Reshape"
    assert [str(d) for d in model.ir.graph.outputs[0].shape] == ["N", "4", "6"]


def test_static_shape_folds_completely(lab):
    text = """(float[2,3,4,5] x) => (float[a,b] y) {
        s = Shape <start = 1> (x) p = ReduceProd <keepdims = 1> (s) z = Size(x) n = Div(z, p)
        t = Concat <axis = 0> (n, p) y = Reshape(x, t) }"""
    model = lab.keeps(lab.proto(text, 17))
    assert target(model) == [[2, 60]]


def test_expand_with_minus_one_as_pytorch_writes_it(lab):
    """ConstantOfShape -> Mul -> Equal -> Where -> Expand keeps sizes where the target is -1."""
    text = """(float[N,1,4] x) => (float[a,b,c] y) {
        s = Shape(x) n = Gather(s, i0) t = Concat <axis = 0> (n, two, four) l = Shape(t)
        o = ConstantOfShape <value = int64[1] {1}> (l) m = Mul(o, minus) e = Equal(t, m)
        w = Where(e, o, t) y = Expand(x, w) }"""
    model = prepared(lab, text, {"N": 3})
    assert [str(d) for d in model.ir.graph.outputs[0].shape] == ["N", "2", "4"]
    assert "Where" not in lab.types(model)


def test_unrelated_sizes_stay_computed(lab):
    """Two sizes of another tensor cannot both be -1."""
    text = """(float[N,M] x, float[A,B] z) => (float[a,b,c] y) {
        s = Shape(z) t = Concat <axis = 0> (s, minus) y = Reshape(x, t) }"""
    model = prepared(lab, text, {"N": 6, "M": 4, "A": 2, "B": 3})
    assert target(model) == [None]


def test_stale_value_infos_are_not_believed(lab):
    """A shape that the file states for a value inside is not proof."""
    text = """(float[N,4] x) => (float[a,b] y) <float[1,4] r> {
        r = Relu(x) s = Shape(r) n = Gather(s, i0) t = Concat <axis = 0> (n, minus) y = Reshape(r, t) }"""
    model = prepared(lab, text, {"N": 5})
    assert [str(d) for d in model.ir.graph.outputs[0].shape] == ["N", "4"]


@pytest.mark.parametrize(
    ("a", "b", "product", "quotient"),
    [
        (6, 3, 18, 2),
        (7, 3, 21, None),
        (0, Product(1, ("n",)), 0, None),
        (Product(4, ("h", "n")), Product(2, ("n",)), Product(8, ("h", "n", "n")), Product(2, ("h",))),
        (Product(4, ("n",)), 3, Product(12, ("n",)), None),
        (Product(4, ("n",)), Product(4, ("n",)), Product(16, ("n", "n")), 1),
        (Product(4, ("n",)), Product(1, ("h",)), Product(4, ("h", "n")), None),
        (None, 3, None, None),
        (Product(1, ("n",)), -1, None, None),
    ],
)
def test_arithmetic_of_elements(a, b, product, quotient):
    assert multiply(a, b) == product
    assert divide(a, b) == quotient
