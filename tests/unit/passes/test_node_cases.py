"""A sample of ONNX's own node cases: prepared, decomposed and written, each against ONNX Runtime."""

from __future__ import annotations

import functools
import warnings

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from edgekit.diagnostics import EdgekitError
from edgekit.ir import Model
from edgekit.lowering.onnx.emit import LAST_KERNEL, NO_KERNEL, RUNTIME_OPSET, emit_onnx
from edgekit.passes import expand, prepare

STRIDE = 10
FUNCTION_OPS = {
    *("LayerNormalization", "GroupNormalization", "RMSNormalization", "Gelu", "Mish", "Attention"),
    *("RotaryEmbedding", "Softplus", "Celu", "HardSwish", "ReduceL1", "ReduceL2", "ReduceLogSum"),
    *("ReduceLogSumExp", "ReduceSumSquare", "MeanVarianceNormalization", "NegativeLogLikelihoodLoss"),
    *("SoftmaxCrossEntropyLoss", "CenterCropPad", "AffineGrid", "Range", "DynamicQuantizeLinear", "Clip"),
    *("Shrink", "ThresholdedRelu", "FlexAttention"),
}


@functools.cache
def all_cases():
    from onnx.backend.test.case.node import collect_testcases

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cases = collect_testcases(None)
    return [c for c in cases if plain(c) and "bfloat16" not in c.name and "bf16" not in c.name]


def plain(case):
    """Tensors in and out, of dtypes that numpy has."""
    data = [x for inputs, outputs in case.data_sets or [] for x in (*inputs, *outputs)]
    kinds = {np.asarray(x).dtype.kind for x in data if isinstance(x, (np.ndarray, np.generic))}
    return (
        bool(data)
        and len(data) == sum(isinstance(x, (np.ndarray, np.generic)) for x in data)
        and kinds <= set("biuf")
    )


def feeds_of(case):
    inputs = case.data_sets[0][0]
    return {v.name: np.asarray(x) for v, x in zip(case.model.graph.input, inputs, strict=True)}


def bound(case):
    """The case with all inputs but the first as initializers, as a model would have them."""
    feeds = feeds_of(case)
    model = onnx.ModelProto.FromString(case.model.SerializeToString())
    names = [v.name for v in model.graph.input]
    for name in names[1:]:
        model.graph.initializer.append(numpy_helper.from_array(feeds[name], name))
    del model.graph.input[1:]
    return model, {names[0]: feeds[names[0]]} if names else {}


def tolerance(case):
    half = any(np.asarray(x).dtype == np.float16 for data in case.data_sets[0] for x in data)
    return {"rtol": 1e-2, "atol": 4e-3} if half else {"rtol": 1e-4, "atol": 1e-5}


def oracle(lab, case, model, feeds):
    """What ONNX Runtime makes of the case, which must be what ONNX says; else it is no oracle."""
    newest = max(o.version for o in model.opset_import if o.domain == "")
    if newest > RUNTIME_OPSET:
        pytest.skip(f"opset {newest} is beyond ONNX Runtime's")
    try:
        expected = lab.runtime(model, feeds)
    except Exception as problem:  # noqa: BLE001 - the runtime's own errors have no common base
        pytest.skip(f"ONNX Runtime does not execute it: {str(problem)[:60]}")
    try:
        lab.same(case.data_sets[0][1], expected, **tolerance(case))
    except AssertionError:
        pytest.skip("ONNX Runtime does not agree with ONNX")
    return expected


def sampled():
    return [
        pytest.param(i, id=c.name.removeprefix("test_")) for i, c in enumerate(all_cases()) if i % STRIDE == 0
    ]


@pytest.mark.parametrize("index", sampled())
def test_prepare_keeps_the_results(lab, index):
    case = all_cases()[index]
    model, feeds = bound(case)
    expected = oracle(lab, case, model, feeds)
    prepared = prepare(lab.hub(model)).model
    written = emit_onnx(prepared)
    lab.same(expected, lab.runtime(proto_of(written.ir), feeds), **tolerance(case))


def proto_of(model):
    import onnx_ir as ir

    return ir.serde.serialize_model(model)


def function_cases():
    found = {}
    for index, case in enumerate(all_cases()):
        nodes = case.model.graph.node
        if len(nodes) == 1 and nodes[0].op_type in FUNCTION_OPS:
            found.setdefault(nodes[0].op_type, []).append((index, case.name))
    return [
        pytest.param(index, id=name.removeprefix("test_"))
        for cases in found.values()
        for index, name in cases[:: max(1, len(cases) // 3)]
    ]


@pytest.mark.parametrize("index", function_cases())
def test_expand_computes_the_same(lab, index):
    case = all_cases()[index]
    model, feeds = bound(case)
    op_type = model.graph.node[0].op_type
    prepared = prepare(lab.hub(model)).model
    (node,) = prepared.ir.graph
    if node.op_type != op_type:
        pytest.skip("simplified to another op")
    fragment = expand(node)
    assert fragment is not None
    assert len(fragment.graph.inputs) == len(node.inputs)
    assert len(fragment.graph.outputs) == len(node.outputs)
    assert op_type not in {n.op_type for n in fragment.graph}
    assert all(v.type is not None for n in fragment.graph for v in n.outputs)
    given = {
        formal.name: feeds[actual.name]
        for formal, actual in zip(fragment.graph.inputs, node.inputs, strict=True)
        if actual is not None and actual.name in feeds
    }
    runnable = lab.runnable(Model(fragment))
    kept = [v for v in runnable.graph.input if v.name in given]
    del runnable.graph.input[:]
    runnable.graph.input.extend(kept)
    found = lab.runtime(runnable, given)
    pairs = [
        (wanted, got)
        for wanted, got, value in zip(case.data_sets[0][1], found, node.outputs, strict=False)
        if value.name
    ]
    assert pairs
    lab.same(*map(list, zip(*pairs, strict=True)), **tolerance(case))


def test_every_function_op_has_a_case():
    covered = {all_cases()[p.values[0]].model.graph.node[0].op_type for p in function_cases()}
    assert covered == FUNCTION_OPS


@pytest.mark.parametrize("index", sampled()[::2])
@pytest.mark.parametrize("opset", [11, 17])
def test_older_opsets_keep_the_results(lab, index, opset):
    case = all_cases()[index]
    model, feeds = bound(case)
    expected = oracle(lab, case, model, feeds)
    prepared = prepare(lab.hub(model)).model
    written, codes = None, set()
    try:
        written = emit_onnx(prepared, opset=opset)
    except EdgekitError as refusal:
        codes = {d.code for d in refusal.diagnostics}
    if written is None:
        assert codes == {"EK306"}
        return
    proto = proto_of(written.ir)
    onnx.checker.check_model(proto)
    lab.same(expected, lab.runtime(proto, feeds), **tolerance(case))


def test_tables_of_missing_kernels_are_true(lab):
    """Each entry is checked against the installed runtime: when it learns an op, the entry must go."""
    texts = {
        "Swish": "(float[2] x) => (float[2] y) { y = Swish(x) }",
        "GlobalLpPool": "(float[1,2,3,4] x) => (float[a,b,c,d] y) { y = GlobalLpPool(x) }",
        "RandomNormal": "() => (float[2] y) { y = RandomNormal <shape = [2]> () }",
        "RandomUniform": "() => (float[2] y) { y = RandomUniform <shape = [2]> () }",
        "RandomNormalLike": "(float[2] x) => (float[2] y) { y = RandomNormalLike(x) }",
        "RandomUniformLike": "(float[2] x) => (float[2] y) { y = RandomUniformLike(x) }",
        "Multinomial": "(float[1,3] x) => (int32[1,1] y) { y = Multinomial(x) }",
        "Bernoulli": "(float[2] x) => (float[2] y) { y = Bernoulli(x) }",
        "MaxRoiPool": "(float[1,2,8,9] x, float[1,5] r) => (float y)"
        " { y = MaxRoiPool <pooled_shape = [2, 2]> (x, r) }",
        "RoiAlign": "(float[1,2,8,9] x, float[2,4] r, int64[2] i) => (float y) { y = RoiAlign(x, r, i) }",
    }
    assert {*LAST_KERNEL, *(op for domain, op in NO_KERNEL if not domain)} - {"SwiGLU"} == set(texts)
    for op, text in texts.items():  # SwiGLU comes with opset 28 only
        model = lab.proto(text, RUNTIME_OPSET)
        model.graph.output[0].type.tensor_type.ClearField("shape")
        with pytest.raises(Exception, match="NOT_IMPLEMENTED"):
            lab.runtime(model, lab.random_inputs(model))
        if op in LAST_KERNEL:
            emitted = emit_onnx(prepare(lab.hub(model)).model)
            assert emitted.opset == LAST_KERNEL[op]
