"""Layers of a quantised network alone: what differs, by which rule, and what no rule excuses."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgekit import api
from edgekit.artifact import Artifact, ArtifactFile, LayerDelta, Status, Verdict
from edgekit.consistency.layers import Stage, evidence_of
from edgekit.consistency.layers.rules.requantize import in_float, once, twice
from edgekit.consistency.verify import verify
from edgekit.ir import Model, Origin

RNG = np.random.default_rng(4)


class Net:
    """A QDQ model under construction; every value is int8 on a grid of its own."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.held: list[Any] = []

    def constant(self, data: Any) -> str:
        self.held.append(numpy_helper.from_array(np.asarray(data), f"c{len(self.held)}"))
        return self.held[-1].name

    def op(self, kind: str, *inputs: str, **attrs: Any) -> str:
        name = f"{kind.lower()}{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], **attrs))
        return name

    def at(self, name: str, scale: float, zero: int = 0) -> str:
        grid = (self.constant(np.float32(scale)), self.constant(np.int8(zero)))
        return self.op("DequantizeLinear", self.op("QuantizeLinear", name, *grid), *grid)

    def weights(self, *shape: int) -> str:
        codes = self.constant(RNG.integers(-127, 128, shape, dtype=np.int8))
        return self.op("DequantizeLinear", codes, self.constant(np.float32(0.002)))

    def model(self, shape: list[int], result: str) -> onnx.ModelProto:
        ports = [
            [helper.make_tensor_value_info(n, TensorProto.FLOAT, s)]
            for n, s in (("x", shape), (result, None))
        ]
        graph = helper.make_graph(self.nodes, "net", *ports, self.held)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


def pooled() -> onnx.ModelProto:
    """A convolution, means of four and of all: halves are rounded every fourth time."""
    net = Net()
    y = net.at("x", 0.02, 3)
    y = net.at(net.op("Relu", net.op("Conv", y, net.weights(8, 3, 3, 3))), 0.03, -128)
    for _ in range(2):
        y = net.at(net.op("AveragePool", y, kernel_shape=[2, 2], strides=[2, 2]), 0.03, -128)
    y = net.at(net.op("Add", y, y), 0.021, -100)
    return net.model([1, 3, 18, 18], net.at(net.op("GlobalAveragePool", y), 0.004, -128))


def samples(count: int = 4) -> list[dict[str, Any]]:
    return [{"x": RNG.standard_normal((1, 3, 18, 18)).astype(np.float32)} for _ in range(count)]


@pytest.fixture(scope="module")
def built() -> tuple[Model, Artifact]:
    model = api.load(pooled())
    return model, api.convert(model, verify=False)


def test_kernels_that_round_otherwise_are_named_by_their_rule(built: tuple[Model, Artifact]) -> None:
    model, artifact = built
    evidence = evidence_of(model, Stage.of_artifact(model, artifact), samples())
    assert evidence.holds
    by_op = {layer.op.split()[-1]: layer for layer in evidence.layers}
    pool = by_op["AVERAGE_POOL_2D"]
    assert 0.02 < pool.one / pool.elements < 0.3
    assert pool.rule == "the mean of codes, halves away from zero (TFLite)"
    assert pool.predicted == pool.differing
    assert by_op["CONV_2D"].one <= 0.001 * by_op["CONV_2D"].elements


def test_an_output_that_is_steps_off_is_explained_by_the_layers(built: tuple[Model, Artifact]) -> None:
    model, artifact = built
    verification = verify(model, artifact, inputs=samples(12))
    (delta,) = verification.deltas
    assert verification.verdict is Verdict.VERIFIED
    assert delta.status is Status.TIE
    assert any("by up to" in note for note in delta.notes), "the net must be one whose outputs are steps off"
    assert any("layers alone" in note for note in delta.notes)


def changed(artifact: Artifact, old: np.ndarray, new: np.ndarray) -> Artifact:
    data = artifact.model_file.read()
    assert data.count(old.tobytes()) >= 1
    payload = data.replace(old.tobytes(), new.tobytes())
    return replace(artifact, files=(ArtifactFile.of(artifact.model_file.name, payload),))


def test_a_wrong_scale_is_not_excused(built: tuple[Model, Artifact]) -> None:
    model, artifact = built
    broken = changed(artifact, np.float32(0.021), np.float32(0.0218))
    evidence = evidence_of(model, Stage.of_artifact(model, broken), samples())
    assert not evidence.holds
    assert "scale" in evidence.summary()
    assert verify(model, broken, inputs=samples(12)).verdict is Verdict.MISMATCH


def test_a_wrong_weight_is_not_excused(built: tuple[Model, Artifact]) -> None:
    model, artifact = built
    held = {v.name: v.const_value.numpy() for v in model.ir.graph.initializers.values() if v.const_value}
    weights = next(a for a in held.values() if a.shape == (8, 3, 3, 3)).transpose(0, 2, 3, 1).copy()
    wrong = weights.copy()
    wrong[3] = -wrong[3]
    broken = changed(artifact, weights, wrong)
    assert verify(model, broken, inputs=samples(4)).verdict is Verdict.MISMATCH


def test_halves_what_a_rule_gives_and_few_by_a_step_hold_and_nothing_else() -> None:
    layer = LayerDelta("t", "ADD", Origin(), 1000, 50, 0, 1)
    assert layer.holds
    assert not replace(layer, one=51).holds
    assert replace(layer, one=400, farthest=0.5).holds
    assert not replace(layer, one=400, farthest=0.7).holds
    assert not replace(layer, more=11, largest=3).holds
    ruled = replace(layer, one=400, rule="a rule", predicted=400)
    assert ruled.holds
    assert not replace(ruled, predicted=390).holds
    assert not replace(ruled, constant=True).holds, "a rule is fed with the weights that may be wrong"


def test_the_three_ways_to_round_differ_where_they_should() -> None:
    sums, quarter = np.asarray([2, -2, 6, -6, 1], np.int64), np.asarray(0.25)
    np.testing.assert_array_equal(in_float(sums, quarter), [0, 0, 2, -2, 0])
    np.testing.assert_array_equal(once(sums, quarter), [1, 0, 2, -1, 0])
    np.testing.assert_array_equal(twice(sums, quarter), [1, -1, 2, -2, 1])


def test_layers_are_part_of_a_saved_artifact_and_of_the_report(
    built: tuple[Model, Artifact], tmp_path: Path
) -> None:
    model, artifact = built
    done = artifact.with_verification(verify(model, artifact, inputs=samples(2)))
    done.save(tmp_path / "saved")
    again = api.open(tmp_path / "saved")
    assert again.verification is not None
    assert done.verification is not None
    assert again.verification.layers == done.verification.layers
    from edgekit.report.describe.verification import sections

    table = next(s for s in sections(done.verification) if s.id == "layers_by_op")
    assert [row["op"] for row in table.rows] == list(dict.fromkeys(g.op for g in done.verification.layers))
