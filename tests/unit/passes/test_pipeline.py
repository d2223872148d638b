"""`prepare` as a whole: its order, what it leaves alone, models larger than memory should hold twice."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import onnx_ir as ir
import pytest

from edgekit.ir import Model, Origin, set_origin
from edgekit.lowering.onnx.emit import emit_onnx
from edgekit.passes import pipeline, prepare
from edgekit.passes.upgrade import target_opset


def test_the_order_holds():
    pipeline.check_order(pipeline.steps())


@pytest.mark.parametrize("position", range(len(pipeline.steps())))
def test_most_steps_cannot_be_left_out(position):
    order = list(pipeline.steps())
    removed = order.pop(position)
    if removed.gives and not any(removed.gives <= s.gives for s in order):
        with pytest.raises(ValueError, match=r"needs|ends without"):
            pipeline.check_order(order)


def test_fusing_before_normalising_is_refused():
    order = list(pipeline.steps())
    position = next(i for i, s in enumerate(order) if pipeline.FUSED in s.gives)
    order.insert(0, order.pop(position))
    with pytest.raises(ValueError, match="needs"):
        pipeline.check_order(order)


def test_every_pass_reports(lab):
    model = lab.hub(lab.proto("(float[2] x) => (float[2] y) { a = Relu(x) y = Identity(a) }", 17))
    reports = prepare(model).reports
    assert [r.name for r in reports if r.changed] == ["infer-types", "identities"]
    assert all(r.summary for r in reports)
    names = [r.name for r in reports]
    assert names.index("upgrade-opset") < names.index("fuse-affine") < names.index("unique-names")


def test_the_result_is_in_the_newest_opset(lab):
    prepared = prepare(lab.hub(lab.proto("(float[2] x) => (float[2] y) { y = Relu(x) }", 7))).model
    assert prepared.opset == target_opset()


def test_preparing_twice_changes_nothing(lab):
    text = "(float[N,4,5,5] x) => (float[a,b] y) { c = Conv(x, w) d = Clip <min = 0.0> (c) y = Flatten(d) }"
    model = lab.proto(text, 9, w=np.ones((3, 4, 2, 2), np.float32))
    once = prepare(lab.hub(model)).model
    again = prepare(once)
    assert {r.name for r in again.reports if r.changed} <= {"infer-types"}
    assert lab.types(again.model) == lab.types(once)


class Untouchable(ir.LazyTensor):
    """A weight of 3 GB that fails the test when anybody reads it."""

    def __init__(self, name, shape):
        def fail():
            raise AssertionError("the weight was read")

        super().__init__(fail, dtype=ir.DataType.FLOAT, shape=ir.Shape(shape), name=name)


def large_model():
    x = ir.Value(name="x", type=ir.TensorType(ir.DataType.FLOAT), shape=ir.Shape(["N", 30000]))
    weights = [
        ir.Value(
            name=f"w{i}",
            type=ir.TensorType(ir.DataType.FLOAT),
            shape=ir.Shape([30000, 30000]),
            const_value=Untouchable(f"w{i}", [30000, 30000]),
        )
        for i in range(2)
    ]
    first = ir.node("MatMul", [x, weights[0]], name="first")
    second = ir.node("MatMul", [first.outputs[0], weights[1]], name="second")
    for node in (first, second):
        set_origin(node, Origin((node.name,)))
    second.outputs[0].name = "y"
    graph = ir.Graph(
        [x],
        [second.outputs[0]],
        nodes=[first, second],
        initializers=weights,
        opset_imports={"": 17},
        name="large",
    )
    return Model(ir.Model(graph, ir_version=8))


def test_weights_of_gigabytes_are_neither_read_nor_copied(monkeypatch):
    """Only the first bytes of equally large weights may be looked at, to find duplicates."""
    from edgekit.passes import deduplicate

    monkeypatch.setattr(deduplicate, "_merge_equal", lambda values: 0)
    model = large_model()
    prepared = prepare(model).model
    assert list(prepared.ir.graph.outputs[0].shape)[1] == 30000
    emitted = emit_onnx(prepared)
    for name in ("w0", "w1"):
        assert (
            emitted.ir.graph.initializers[name].const_value is model.ir.graph.initializers[name].const_value
        )


def test_import_is_light():
    """The reference evaluator and the runtimes take seconds; preparing needs none of them."""
    code = (
        "import sys, edgekit.passes, edgekit.lowering.onnx.emit\n"
        "heavy = {'onnx.reference', 'onnxruntime', 'tensorflow', 'torch', 'onnxscript', 'onnxsim', 'scipy'}\n"
        "print(*sorted(heavy & set(sys.modules)))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == ""
