"""The ONNX backend: opsets, versions, names, float16."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import onnx
import onnx_ir as ir
import pytest

from edgekit.diagnostics import EdgekitError, Severity
from edgekit.ir import Origin, origin_of, set_origin
from edgekit.lowering.onnx.emit import RUNTIME_OPSET, emit_onnx
from edgekit.passes import prepare
from edgekit.passes.downgrade import REVERSES
from edgekit.passes.upgrade import versions_of
from edgekit.runners import runner_for

RNG = np.random.default_rng(5)
NET = """(float[N,3,8,8] x) => (float[a,b] y) {
    c = Conv <pads = [1, 1, 1, 1]> (x, w) n = BatchNormalization(c, s, s, s, s) r = Clip(n, low, high)
    p = MaxPool <kernel_shape = [2, 2], strides = [2, 2]> (r) g = ReduceMean <axes = [2, 3], keepdims = 0> (p)
    m = Gemm(g, v, b) y = Softmax(m) }"""
CONSTANTS = {
    "w": RNG.standard_normal((4, 3, 3, 3)).astype(np.float32),
    "s": RNG.uniform(0.5, 2, 4).astype(np.float32),
    "low": np.float32(0),
    "high": np.float32(6),
    "v": RNG.standard_normal((4, 5)).astype(np.float32),
    "b": RNG.standard_normal(5).astype(np.float32),
}


@pytest.fixture(scope="module")
def network(lab):
    return lab.proto(NET, 13, **CONSTANTS)


def written(emitted):
    proto = ir.serde.serialize_model(emitted.ir)
    onnx.checker.check_model(proto, full_check=True)
    return proto


@pytest.mark.parametrize("opset", [None, 7, 8, 9, 10, 11, 12, 13, 15, 17, 18, 20, 21, 23, 25, RUNTIME_OPSET])
def test_a_network_at_every_opset(lab, network, opset):
    prepared = prepare(lab.hub(network)).model
    emitted = emit_onnx(prepared, opset=opset)
    proto = written(emitted)
    assert emitted.opset == proto.opset_import[0].version == (opset or RUNTIME_OPSET)
    assert [v.name for v in proto.graph.input] == ["x"]
    assert [v.name for v in proto.graph.output] == ["y"]
    feeds = lab.random_inputs(network, sizes={"N": 2})
    lab.same(lab.runtime(network, feeds), lab.runtime(proto, feeds), rtol=1e-4, atol=1e-5)
    assert prepared.opset > 27 or opset is None or prepared.opset >= opset  # the model given is not changed


@pytest.mark.parametrize("opset", [6, 99])
def test_opsets_that_cannot_be_written(lab, network, opset):
    with pytest.raises(EdgekitError) as caught:
        emit_onnx(prepare(lab.hub(network)).model, opset=opset)
    assert caught.value.diagnostics[0].code == "EK306"


def test_an_op_that_cannot_be_reached_is_named_with_all_others(lab):
    text = "(float[2,3] x, int64[1] k) => (float[a,b] y, int64[c,d] i, int64[e,f] z) {"
    text += " y, i = TopK <largest = 0> (x, k) z = NonZero(x) }"
    with pytest.raises(EdgekitError) as caught:
        emit_onnx(prepare(lab.hub(lab.proto(text, 17))).model, opset=8)
    found = caught.value.diagnostics
    assert [d.code for d in found] == ["EK306"] * 2
    assert "`TopK`" in found[0].message
    assert "`NonZero`" in found[1].message
    assert found[1].where.nodes == ("main_NonZero_1",)
    assert found[0].help


def test_an_op_that_does_not_exist_is_decomposed(lab):
    model = lab.proto("(float[2,3] x) => (float[2,3] y) { a = Gelu(x) y = Mish(a) }", 20)
    emitted = emit_onnx(prepare(lab.hub(model)).model, opset=13)
    proto = written(emitted)
    assert not {"Gelu", "Mish"} & {n.op_type for n in proto.graph.node}
    assert emitted.origins["y"].nodes == ("main_Mish_1",)
    feeds = lab.random_inputs(model)
    lab.same(lab.runtime(model, feeds), lab.runtime(proto, feeds))


REVERSED = [
    ("(float[2,3,4] x) => (float y) { y = Softmax <axis = 1> (x) }", {}, 11),
    ("(float[2,3,4] x) => (float y) { y = LogSoftmax <axis = 0> (x) }", {}, 12),
    ("(float[2,1,4] x) => (float y) { y = Squeeze(x, n) }", {"n": np.int64([-2])}, 9),
    ("(float[2,4] x) => (float y) { y = Unsqueeze(x, n) }", {"n": np.int64([-1])}, 9),
    ("(float[2,4] x) => (float y) { y = ReduceSum <keepdims = 0> (x, n) }", {"n": np.int64([-1])}, 9),
    ("(float[2,4] x) => (float y) { y = ReduceMax(x) }", {}, 9),
    ("(float[2,4] x) => (float y) { y = Clip(x, n) }", {"n": np.float32(0.2)}, 9),
    (
        "(float[2,4] x) => (float y) { y = Pad(x, n, v, a) }",
        {"n": np.int64([1, 2]), "v": np.float32(3), "a": np.int64([-1])},
        9,
    ),
    (
        "(float[5,4] x) => (float y) { y = Slice(x, s, e, a) }",
        {"s": np.int64([1]), "e": np.int64([-1]), "a": np.int64([0])},
        9,
    ),
    ("(float[2,5] x) => (float y, float z) { y, z = Split <axis = 1, num_outputs = 2> (x) }", {}, 13),
    ("(float[2,6] x) => (float y, float z) { y, z = Split <axis = -1, num_outputs = 2> (x) }", {}, 9),
    ("(float[2,5] x) => (float y, int64 i) { y, i = TopK(x, k) }", {"k": np.int64([2])}, 9),
    (
        "(float[1,2,4,5] x) => (float y) { y = Resize(x, r, s) }",
        {"r": np.zeros(0, np.float32), "s": np.float32([1, 1, 2, 1.5])},
        11,
    ),
    (
        '(float[1,2,4,5] x) => (float y) { y = Resize <coordinate_transformation_mode = "asymmetric",'
        ' nearest_mode = "floor"> (x, r, s) }',
        {"r": np.zeros(0, np.float32), "s": np.float32([1, 1, 2, 1.5])},
        10,
    ),
    ('(float[1,2,4,5] x, float[1,3,3,2] g) => (float y) { y = GridSample <mode = "cubic"> (x, g) }', {}, 16),
    ("(float[2,3] a, float[3] b) => (float y) { y = Sum(a, b, a) }", {}, 7),
    ("(float[2,3] a, float[3,4] b) => (float y) { y = Gemm(a, b) }", {}, 9),
    ("(float[2,3,4] x) => (float y) { y = Flatten <axis = -1> (x) }", {}, 9),
    ("(float[2,3,4] x) => (int64 y) { y = ArgMax <axis = -1> (x) }", {}, 9),
    ("(float[2,5,2] x) => (float y) { y = DFT(x, n, a) }", {"n": np.int64(4), "a": np.int64(-2)}, 17),
]


@pytest.mark.parametrize(("text", "constants", "opset"), REVERSED, ids=lambda v: str(v)[:60])
def test_reverse_adapters(lab, text, constants, opset):
    newer = "GridSample" in text or "DFT" in text
    model = lab.proto(text, 20 if newer else 18, **constants)
    for value in model.graph.output:
        value.type.tensor_type.ClearField("shape")
    proto = written(emit_onnx(prepare(lab.hub(model)).model, opset=opset))
    feeds = lab.random_inputs(model)
    lab.same(lab.runtime(model, feeds), lab.runtime(proto, feeds))


def test_every_reverse_adapter_undoes_a_change_that_exists():
    for op, version in REVERSES:
        assert version in versions_of(op)[1:]


def test_no_path_of_this_machine_is_written(lab, network):
    source = lab.hub(network)
    for node in source.ir.graph:
        set_origin(node, Origin((node.name,), "scope", "/home/me/secret/model.py", 3))
        node.metadata_props["pkg.torch.onnx.stack_trace"] = "/home/me/secret/model.py"
        node.doc_string = "/home/me/secret"
    emitted = emit_onnx(prepare(source).model)
    assert b"/home/me" not in written(emitted).SerializeToString()
    assert emitted.origins["y"].file == "/home/me/secret/model.py"
    assert all(origin_of(node).nodes for node in source.ir.graph)


@pytest.mark.parametrize(("opset", "ir_version"), [(7, 4), (13, 7), (17, 8), (21, 10), (RUNTIME_OPSET, 13)])
def test_the_format_version_is_that_of_the_opset(lab, network, opset, ir_version):
    assert emit_onnx(prepare(lab.hub(network)).model, opset=opset).ir.ir_version == ir_version


def test_small_dtypes_raise_the_format_version(lab):
    import ml_dtypes

    model = lab.proto("() => (float[2] y) { y = DequantizeLinear(q, s) }", 21, s=np.float32(1))
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.array([1, 2], ml_dtypes.int4), "q"))
    assert emit_onnx(prepare(lab.hub(model)).model, opset=21).ir.ir_version >= 10


def test_half_precision(lab, network):
    emitted = emit_onnx(prepare(lab.hub(network)).model, fp16=True)
    proto = written(emitted)
    assert [v.type.tensor_type.elem_type for v in (*proto.graph.input, *proto.graph.output)] == [1, 1]
    kinds = {t.name: t.data_type for t in proto.graph.initializer}
    assert set(kinds.values()) <= {onnx.TensorProto.FLOAT16, onnx.TensorProto.INT64}
    assert [n.op_type for n in proto.graph.node].count("Cast") == 2
    assert not emitted.diagnostics
    feeds = lab.random_inputs(network, sizes={"N": 2})
    lab.same(lab.runtime(network, feeds), lab.runtime(proto, feeds), rtol=2e-2, atol=2e-3)


def test_values_that_do_not_fit_stay_in_float32(lab):
    text = "(float[2,4] x) => (float[2,4] y) { a = Mul(x, big) b = Relu(a) y = Add(b, small) }"
    constants = {"big": np.float32([1e6, 1, 2, 3]), "small": np.float32(0.5)}
    model = lab.proto(text, 17, **constants)
    emitted = emit_onnx(prepare(lab.hub(model)).model, fp16=True)
    (warning,) = emitted.diagnostics
    assert warning.severity is Severity.WARNING
    assert "`Mul`" in warning.message
    assert "65504" in warning.message
    assert warning.where.nodes == ("main_Mul_0",)
    feeds = {"x": np.float32([[1e-6, 1, 2, 3], [2e-6, 3, 2, 1]])}
    lab.same(lab.runtime(model, feeds), lab.runtime(written(emitted), feeds), rtol=2e-2, atol=2e-3)


@pytest.mark.parametrize(
    ("body", "kept"),
    [
        ("a = Relu(x) y = Resize(a, , s)".replace(", ,", ', "",'), "Resize"),
        ("a = Cast <to = 7> (x) y = Cast <to = 1> (a)", "Cast"),
        ("q = QuantizeLinear(x, one, zero) y = DequantizeLinear(q, one, zero)", "QuantizeLinear"),
    ],
)
def test_ops_that_need_the_range_stay(lab, body, kept):
    constants = {"s": np.float32([1, 1, 2, 2]), "one": np.float32(0.1), "zero": np.uint8(9)}
    used = {k: v for k, v in constants.items() if f" {k}" in body}
    model = lab.proto(f"(float[1,1,3,4] x) => (float y) {{ {body} }}", 17, **used)
    model.graph.output[0].type.tensor_type.ClearField("shape")
    emitted = emit_onnx(prepare(lab.hub(model)).model, fp16=True)
    node = next(n for n in emitted.ir.graph if n.op_type == kept)
    assert node.inputs[0].dtype == ir.DataType.FLOAT
    assert not emitted.diagnostics
    feeds = lab.random_inputs(model)
    lab.same(lab.runtime(model, feeds), lab.runtime(written(emitted), feeds), rtol=2e-2, atol=2e-3)


def test_graphs_inside_stay_in_float32(lab):
    text = """(float[2] x, bool c) => (float[2] y) {
        r = Relu(x)
        s = If (c) < then_branch = t () => (float[2] p) { p = Neg(r) },
                     else_branch = f () => (float[2] q) { q = Abs(r) } >
        y = Exp(s) }"""
    model = lab.proto(text, 17)
    emitted = emit_onnx(prepare(lab.hub(model)).model, fp16=True)
    (warning,) = emitted.diagnostics
    assert "`If`" in warning.message
    feeds = lab.random_inputs(model)
    lab.same(lab.runtime(model, feeds), lab.runtime(written(emitted), feeds), rtol=2e-2, atol=2e-3)


@pytest.mark.parametrize("dtype", ["float", "float16", "double"])
def test_floored_remainder_of_floats(lab, dtype):
    """ONNX Runtime does not know opset 28 yet, in which floats got it: numpy is the oracle."""
    numbers = np.array([0.0, -0.0, 1.5, -2.5, np.inf, -np.inf, np.nan, 7.25])
    kind = {"float": np.float32, "float16": np.float16, "double": np.float64}[dtype]
    a, b = (np.ascontiguousarray(m).astype(kind) for m in np.meshgrid(numbers, numbers))
    model = lab.proto(f"({dtype}[8,8] a, {dtype}[8,8] b) => ({dtype}[8,8] y) {{ y = Mod(a, b) }}", 28)
    proto = written(emit_onnx(prepare(lab.hub(model)).model))
    with np.errstate(all="ignore"):
        expected = np.mod(a, b)
    np.testing.assert_array_equal(lab.runtime(proto, {"a": a, "b": b})[0], expected)


def test_bfloat16_that_an_older_opset_does_not_take_goes_through_float32(lab):
    model = lab.proto("(bfloat16[2,3] x) => (bfloat16[2,3] y) { y = Celu <alpha = 2.0> (x) }", 28)
    proto = written(emit_onnx(prepare(lab.hub(model)).model, opset=27))
    assert [n.op_type for n in proto.graph.node] == ["Cast", "Celu", "Cast"]
    x = np.linspace(-3, 3, 6, dtype=np.float32).reshape(2, 3).astype(ml_dtypes.bfloat16)
    want = np.maximum(x, 0) + np.minimum(0, 2 * np.expm1(x.astype(np.float32) / 2))
    with runner_for("onnx", isolate=False) as runner:
        (got,) = runner.run(proto.SerializeToString(), {"x": x}).values()
    np.testing.assert_allclose(got.astype(np.float32), want.astype(np.float32), rtol=2**-8)
