"""If, Loop, Scan and local functions."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import numpy_helper, parser

from edgekit.diagnostics import EdgekitError
from edgekit.passes import prepare

IF = """(float[2,3] x) => (float[a,b] y) {
    r = Relu(x)
    y = If (flag) <
        then_branch = big () => (float[2,3] t) { c = Constant <value = float[3] {1, 2, 3}> () t = Add(r, c) },
        else_branch = small () => (float[2,3] e) { e = Neg(r) }
    >
}"""


@pytest.mark.parametrize(("flag", "left"), [(True, ["Relu", "Add"]), (False, ["Relu", "Neg"])])
def test_a_constant_condition_decides_the_branch(lab, flag, left):
    model = lab.proto(IF, 17, flag=np.array(flag))
    assert lab.types(lab.keeps(model)) == left


@pytest.mark.parametrize("flag", [True, False])
def test_a_computed_condition_keeps_both_branches(lab, flag):
    text = IF.replace("(float[2,3] x)", "(float[2,3] x, bool flag)")
    model = lab.proto(text, 11)
    feeds = lab.random_inputs(model) | {"flag": np.array(flag)}
    result = lab.keeps(model, feeds=feeds)
    assert lab.types(result) == ["Relu", "If"]
    assert list(result.ir.graph[1].outputs[0].shape) == [2, 3]


def test_a_condition_on_a_shape_is_decided(lab):
    text = """(float[2,1,3] x) => (float y) {
        s = Shape(x) d = Gather(s, one) e = Equal(d, unit)
        y = If (e) <
            then_branch = t () => (float[2,3] p) { p = Squeeze(x, axis) },
            else_branch = f () => (float[2,1,3] q) { q = Identity(x) }
        >
    }"""
    constants = {"one": np.int64(1), "unit": np.int64(1), "axis": np.int64([1])}
    model = lab.proto(text, 17, **constants)
    model.graph.output[0].type.tensor_type.ClearField("shape")
    assert lab.types(lab.keeps(model)) == ["Squeeze"]


def test_a_branch_that_returns_a_constant_or_an_outer_value(lab):
    text = """(float[2] x) => (float[2] y, float[2] z) {
        r = Relu(x)
        y, z = If (flag) <
            then_branch = t () => (float[2] p, float[2] q) {
                p = Constant <value = float[2] {1, 2}> () q = Identity(r) },
            else_branch = f () => (float[2] u, float[2] v) { u = Neg(r) v = Neg(r) }
        >
    }"""
    result = lab.keeps(lab.proto(text, 17, flag=np.array(True)))
    assert [v.name for v in result.ir.graph.outputs] == ["y", "z"]
    assert lab.types(result) == ["Relu"]


def test_nested_branches_and_equal_names(lab):
    text = """(float[2] x, bool c) => (float[2] y) {
        y = If (c) <
            then_branch = t () => (float[2] p) { a = Abs(x) p = If (flag) <
                then_branch = tt () => (float[2] pp) { b = Neg(a) pp = Exp(b) },
                else_branch = tf () => (float[2] pq) { b = Relu(a) pq = Exp(b) } > },
            else_branch = f () => (float[2] q) { a = Neg(x) q = Exp(a) }
        >
    }"""
    model = lab.proto(text, 17, flag=np.array(False))
    for choice in (True, False):
        lab.keeps(model, feeds={"x": np.float32([1, -2]), "c": np.array(choice)})


def loop(body, initial="x", extra=""):
    return f"""(float[2] x) => (float y, float z) {{
        {extra}
        y, z = Loop (trips, "", {initial}) <body = step (int64 i, bool go, float[n] state)
            => (bool on, float[n] next, float out) {{ {body} }}>
    }}"""


def prepared_loop(lab, body, trips=3, **more):
    model = lab.proto(loop(body, **more), 17, trips=np.int64(trips))
    for value in model.graph.output:
        value.type.tensor_type.ClearField("shape")
    result = lab.keeps(model)
    (node,) = (n for n in result.ir.graph if n.op_type == "Loop")
    return node


def test_carried_shape_that_is_an_invariant_is_stated(lab):
    node = prepared_loop(
        lab, "on = Identity(go) k = Constant <value = float {2}> () next = Mul(state, k) out = Abs(next)"
    )
    assert list(node.outputs[0].shape) == [2]
    assert list(node.outputs[1].shape) == [3, 2]
    assert list(node.attributes["body"].as_graph().inputs[2].shape) == [2]


def test_carried_shape_that_grows_is_unknown(lab):
    node = prepared_loop(
        lab, "on = Identity(go) next = Concat <axis = 0> (state, state) out = ReduceSum <keepdims = 0> (next)"
    )
    assert not node.outputs[0].shape.is_static()
    assert list(node.outputs[1].shape) == [3]


def test_a_loop_of_an_old_opset(lab):
    text = """(float[2,3] x) => (float[2,3] y, float[n,2,3] z) {
        y, z = Loop (trips, "", x) <body = step (int64 i, bool go, float[2,3] state)
            => (bool on, float[2,3] next, float[2,3] out) {
                on = Identity(go) next = Softmax <axis = 0> (state) out = Clip <min = 0.1> (next) }>
    }"""
    lab.keeps(lab.proto(text, 10, trips=np.int64(2)))


def test_scan_slices_and_stacks(lab):
    text = """(float[3] first, float[4,5,3] x) => (float[3] last, float[a,b,c] all) {
        last, all = Scan <num_scan_inputs = 1, scan_input_axes = [1], scan_output_axes = [1], body = step
            (float[n] state, float[m,k] item) => (float[n] next, float[m,k] out) {
                s = ReduceSum <keepdims = 0> (item, zero) next = Add(state, s) out = Add(item, state) }>
            (first, x)
    }"""
    result = lab.keeps(lab.proto(text, 17, zero=np.int64([0])))
    (node,) = result.ir.graph
    assert [list(v.shape) for v in node.outputs] == [[3], [4, 5, 3]]
    assert [list(v.shape) for v in node.attributes["body"].as_graph().inputs] == [[3], [4, 3]]


FUNCTIONS = """
<ir_version: 10, opset_import: ["" : {model}, "local" : 1]>
main (float[2,4] x) => (float[2,4] y) {{ a = local.scaled <factor = 3.0> (x) y = local.scaled (a) }}
<domain: "local", opset_import: ["" : {function}]>
scaled <factor: float = 2.0> (v) => (r) {{
    f = Constant <value_float: float = @factor> () s = Softmax <axis = 0> (v) r = Mul(s, f) }}
"""


def test_functions_are_inlined_with_their_own_opset(lab):
    """The body of opset 11 flattens from axis 0 on, though the model is of opset 17."""
    text = FUNCTIONS.format(model=17, function=11)
    model = parser.parse_model(text)
    x = np.random.default_rng(0).standard_normal((2, 4)).astype(np.float32)
    expected = x
    for factor in (3, 2):
        powers = np.exp(expected - expected.max())
        expected = powers / powers.sum() * factor
    prepared = prepare(lab.hub(model)).model
    assert not prepared.ir.functions
    lab.same([expected], lab.runtime(lab.runnable(prepared), {"x": x}))


def test_functions_of_the_same_opset(lab):
    model = parser.parse_model(FUNCTIONS.format(model=17, function=17))
    result = lab.keeps(model)
    assert set(lab.types(result)) == {"Softmax", "Mul"}


def test_functions_that_call_each_other_are_refused(lab):
    text = """
    <ir_version: 10, opset_import: ["" : 17, "local" : 1]>
    main (float[2] x) => (float[2] y) { y = local.one (x) }
    <domain: "local", opset_import: ["" : 17, "local" : 1]> one (v) => (r) { r = local.two (v) }
    <domain: "local", opset_import: ["" : 17, "local" : 1]> two (v) => (r) { r = local.one (v) }
    """
    with pytest.raises(EdgekitError) as caught:
        prepare(lab.hub(parser.parse_model(text)))
    assert caught.value.diagnostics[0].code == "EK104"


def test_nodes_out_of_order_are_refused(lab):
    """Importers sort; a model that comes in another order, or in a circle, is no hub model."""
    model = lab.proto("(float[2] x) => (float[2] y) { a = Relu(x) b = Exp(a) y = Neg(b) }", 17)
    nodes = list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend([nodes[2], nodes[0], nodes[1]])
    with pytest.raises(EdgekitError) as caught:
        prepare(lab.hub(model))
    assert caught.value.diagnostics[0].code == "EK104"
    assert caught.value.diagnostics[0].where.nodes == ("main_Neg_0",)


@pytest.mark.parametrize(
    ("attribute", "value", "dtype"),
    [
        ("value_float", 1.5, np.float32),
        ("value_floats", [1.5, 2.0], np.float32),
        ("value_int", 3, np.int64),
        ("value_ints", [3, 4], np.int64),
        ("value", numpy_helper.from_array(np.float16([1, 2])), np.float16),
    ],
)
def test_every_kind_of_constant_is_lifted(lab, attribute, value, dtype):
    node = onnx.helper.make_node("Constant", [], ["y"], **{attribute: value})
    output = onnx.helper.make_tensor_value_info(
        "y", onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype)), None
    )
    model = onnx.helper.make_model(
        onnx.helper.make_graph([node], "main", [], [output]), opset_imports=[onnx.helper.make_opsetid("", 17)]
    )
    prepared = prepare(lab.hub(model)).model
    (value,) = prepared.ir.graph.outputs
    assert value.name == "y"
    assert value.const_value.numpy().dtype == dtype


def test_contradicting_shapes_name_the_node(lab):
    model = lab.proto("(float[2,3] a, float[4,5] b) => (float[n,m] y) { r = Relu(a) y = MatMul(r, b) }", 17)
    with pytest.raises(EdgekitError) as caught:
        prepare(lab.hub(model))
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == "EK114"
    assert diagnostic.where.nodes == ("main_MatMul_1",)


def test_unknown_domains_pass_through(lab):
    text = '<ir_version: 10, opset_import: ["" : 17, "mine" : 1]> main (float[2] x) => (float[2] y)'
    model = parser.parse_model(text + " { a = Identity(x) b = mine.Op(a) y = Identity(b) }")
    prepared = prepare(lab.hub(model)).model
    assert lab.types(prepared) == ["Op"]
