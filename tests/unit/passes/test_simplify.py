"""Identities, chains of relabelling, duplicates and dead code."""

from __future__ import annotations

import numpy as np
import pytest

from edgekit.ir import origin_of

S = np.int64


@pytest.mark.parametrize(
    ("body", "left"),
    [
        ("y = Identity(a)", ["Relu"]),
        ("y = Dropout(a)", ["Relu"]),
        ("y = Cast <to = 1> (a)", ["Relu"]),
        ("y = CastLike(a, x)", ["Relu"]),
        ("y = Transpose <perm = [0, 1, 2]> (a)", ["Relu"]),
        ("y = Reshape(a, same)", ["Relu"]),
        ("y = Reshape(a, keep)", ["Relu"]),
        ("y = Expand(a, ones)", ["Relu"]),
        ("y = Slice(a, zero, far, zero)", ["Relu"]),
        ("y = Pad(a, zeros)", ["Relu"]),
        ("y = Tile(a, ones)", ["Relu"]),
        ("y = Concat <axis = 1> (a)", ["Relu"]),
        ("y = Sum(a)", ["Relu"]),
        ("y = Mul(a, one)", ["Relu"]),
        ("y = Mul(one, a)", ["Relu"]),
        ("y = Div(a, one)", ["Relu"]),
        ("y = Pow(a, one)", ["Relu"]),
        ("y = Sub(a, nought)", ["Relu"]),
        ("y = Where(yes, a, one)", ["Relu"]),
        ("y = Add(a, nought)", ["Relu", "Add"]),
        ("y = Sub(nought, a)", ["Relu", "Sub"]),
        ("y = Mul(a, wide)", ["Relu", "Mul"]),
        ("y = Cast <to = 11> (a)", ["Relu", "Cast"]),
        ("y = Transpose <perm = [0, 2, 1]> (a)", ["Relu", "Transpose"]),
        ("y = Slice(a, zero, far, zero, back)", ["Relu", "Slice"]),
        ("b = Transpose <perm = [1, 2, 0]> (a) y = Transpose <perm = [2, 0, 1]> (b)", ["Relu"]),
        ("b = Transpose <perm = [1, 2, 0]> (a) y = Transpose <perm = [1, 2, 0]> (b)", ["Relu", "Transpose"]),
        ("b = Transpose(a) y = Transpose <perm = [1, 0, 2]> (b)", ["Relu", "Transpose"]),
        ("b = Reshape(a, flat) y = Reshape(b, other)", ["Relu", "Reshape"]),
        ("b = Unsqueeze(a, zero) y = Squeeze(b, zero)", ["Relu"]),
        ("b = Flatten(a) c = Unsqueeze(b, zero) y = Reshape(c, other)", ["Relu", "Reshape"]),
        ("b = Exp(a) c = Exp(a) y = Add(b, c)", ["Relu", "Exp", "Add"]),
        ("b = Exp(a) c = Relu(x) d = Exp(c) y = Sub(b, d)", ["Relu", "Exp", "Sub"]),
        ("b = Exp(a) c = Log(b) y = Abs(a)", ["Relu", "Abs"]),
    ],
)
def test_simplified(lab, body, left):
    available = {
        "same": S([2, 3, 4]),
        "keep": S([0, -1, 4]),
        "ones": S([1, 1, 1]),
        "zero": S([0]),
        "far": S([1 << 40]),
        "back": S([-1]),
        "zeros": S([0] * 6),
        "one": np.float32(1),
        "nought": np.float32(0),
        "wide": np.ones((5, 1, 1, 1), np.float32),
        "yes": np.array([True, True]).reshape(2, 1, 1),
        "flat": S([24]),
        "other": S([4, 6]),
    }
    used = {k: v for k, v in available.items() if any(f"{p}{k}{q}" in body for p in "( " for q in ",)")}
    model = lab.proto(f"(float[2,3,4] x) => (float y) {{ a = Relu(x) {body} }}", 17, **used)
    model.graph.output[0].type.tensor_type.ClearField("shape")
    if "to = 11" in body:
        model.graph.output[0].type.tensor_type.elem_type = 11
    result = lab.keeps(model)
    assert lab.types(result) == left
    assert result.ir.graph.outputs[0].name == "y"


def test_an_input_that_is_an_output_keeps_its_identity(lab):
    model = lab.proto("(float[2] x) => (float[2] y) { y = Identity(x) }", 17)
    assert lab.types(lab.keeps(model)) == ["Identity"]


def test_two_outputs_of_one_value_keep_both_names(lab):
    text = "(float[2] x) => (float[2] y, float[2] z) { a = Relu(x) y = Identity(a) z = Identity(a) }"
    result = lab.keeps(lab.proto(text, 17))
    assert [v.name for v in result.ir.graph.outputs] == ["y", "z"]
    assert lab.types(result) == ["Relu", "Identity"]


def test_a_constant_output(lab):
    model = lab.proto(
        "(float[2] x) => (float[2] y, float[2] z) { y = Add(c, c) z = Relu(x) }", 17, c=np.float32([1, 2])
    )
    result = lab.keeps(model)
    assert lab.types(result) == ["Relu"]


def test_the_origin_of_an_identity_goes_to_the_producer(lab):
    model = lab.proto("(float[2] x) => (float[2] y) { a = Relu(x) b = Dropout(a) y = Identity(b) }", 17)
    (node,) = lab.keeps(model).ir.graph
    assert origin_of(node).nodes == ("main_Relu_0", "main_Dropout_1", "main_Identity_2")


def test_inputs_that_nothing_uses_stay(lab):
    model = lab.proto("(float[2] x, float[3] unused) => (float[2] y) { y = Relu(x) }", 17)
    assert [v.name for v in lab.keeps(model).ir.graph.inputs] == ["x", "unused"]


def test_optional_outputs_that_nothing_uses_are_left_out(lab):
    text = "(float[1,1,4,4] x) => (float[a,b,c,d] y) { y, i = MaxPool <kernel_shape = [2, 2]> (x) }"
    (node,) = lab.keeps(lab.proto(text, 17)).ir.graph
    assert len(node.outputs) == 1


def test_equal_initializers_are_stored_once(lab):
    weights = np.random.default_rng(0).standard_normal((40, 40)).astype(np.float32)
    changed = weights.copy()
    changed[-1, -1] += 1
    body = "p = MatMul(x, a) q = Relu(p) r = MatMul(q, b) y = MatMul(r, c)"
    text = f"(float[2,40] x) => (float[2,40] y) {{ {body} }}"
    result = lab.keeps(lab.proto(text, 17, a=weights, b=weights.copy(), c=changed), rtol=1e-4, atol=1e-4)
    assert len(result.ir.graph.initializers) == 2


def test_random_nodes_are_not_merged(lab):
    from edgekit.passes import prepare

    body = "a = RandomNormal <shape = [2]> () b = RandomNormal <shape = [2]> () y = Sub(a, b)"
    text = f"() => (float[2] y) {{ {body} }}"
    assert len(prepare(lab.hub(lab.proto(text, 17))).model.ir.graph) == 3


def test_a_bias_that_is_cast_like_the_input_is_a_constant(lab):
    """As PyTorch's exporter writes a convolution without bias; what follows is fused."""
    text = "(float[1,3,5,5] x) => (float[1,2,3,3] y) {"
    text += " zero = CastLike(nought, x) b = Expand(zero, two) c = Conv(x, w, b)"
    text += " y = BatchNormalization(c, scale, shift, mean, var) }"
    rng = np.random.default_rng(0)
    numbers = {n: rng.uniform(0.5, 1.5, 2).astype(np.float32) for n in ("scale", "shift", "mean", "var")}
    weights = rng.standard_normal((2, 3, 3, 3)).astype(np.float32)
    model = lab.proto(text, 17, nought=np.int64(0), two=S([2]), w=weights, **numbers)
    assert lab.types(lab.keeps(model, atol=1e-5)) == ["Conv"]


def test_a_cast_like_something_of_unknown_type_stays(lab):
    from edgekit.passes.known_type import state_type

    model = lab.hub(lab.proto("(float[2] x, int64[2] k) => (int64[2] y) { y = CastLike(x, k) }", 17))
    (node,) = model.ir.graph
    node.inputs[1].type = None
    assert not state_type(node)
    assert node.op_type == "CastLike"
