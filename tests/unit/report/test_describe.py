"""Models, verdicts and arrays as sections."""

from __future__ import annotations

from pathlib import Path

import ml_dtypes
import numpy as np
import onnx
import onnx_ir as ir
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgekit.artifact import Delta, Evidence, Status, Verification, not_verified
from edgekit.artifact import Verdict as Known
from edgekit.diagnostics import ExitCode
from edgekit.ir import Model, Origin, set_origin
from edgekit.report import CheckStatus, Facts, Table, VerdictStatus
from edgekit.report.describe import model as describe
from edgekit.report.describe import verification as verdicts
from edgekit.report.describe.arrays import outputs_table


def info(name: str, shape: list[int | str]) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


def build(
    nodes: list[onnx.NodeProto],
    shape: list[int | str],
    weights: dict[str, np.ndarray],
    domains: dict[str, int] | None = None,
) -> Model:
    graph = helper.make_graph(
        nodes,
        "net",
        [info("x", shape)],
        [helper.make_empty_tensor_value_info("y")],
        [numpy_helper.from_array(w, n) for n, w in weights.items()],
    )
    opsets = [helper.make_opsetid(d, v) for d, v in {"": 17, **(domains or {})}.items()]
    return Model(ir.from_proto(helper.make_model(graph, opset_imports=opsets, ir_version=8)))


def facts_of(model: Model) -> dict[str, object]:
    section = next(s for s in describe.sections(model) if s.id == "model")
    assert isinstance(section, Facts)
    return {f.key: f.value for f in section.facts}


def table_of(model: Model, id: str) -> Table:
    section = next(s for s in describe.sections(model) if s.id == id)
    assert isinstance(section, Table)
    return section


CONV = [
    helper.make_node("Conv", ["x", "w"], ["c"], name="conv", pads=[1, 1, 1, 1]),
    helper.make_node("Relu", ["c"], ["y"], name="relu"),
]
WEIGHTS = {"w": np.ones((4, 3, 3, 3), np.float32)}


def test_parameters_bytes_and_arithmetic_of_a_convolution() -> None:
    facts = facts_of(build(CONV, [1, 3, 8, 8], WEIGHTS))
    assert facts["parameters"] == 108
    assert facts["parameter_bytes"] == 432
    assert facts["parameter_dtypes"] == "float32 100 %"
    assert facts["macs"] == 4 * 64 * 27
    assert facts["nodes"] == 2
    assert facts["opsets"] == "ai.onnx 17"
    assert "macs_assume" not in facts


def test_a_symbolic_batch_is_counted_as_one_and_that_is_said() -> None:
    facts = facts_of(build(CONV, ["N", 3, 8, 8], WEIGHTS))
    assert facts["macs"] == 4 * 64 * 27
    assert facts["macs_assume"] == "N = 1"


def test_arithmetic_of_other_symbolic_sizes_is_unknown() -> None:
    model = build(CONV, [1, 3, "height", "width"], WEIGHTS)
    assert facts_of(model)["macs"] == "unknown"
    rows = {row["op"]: row for row in table_of(model, "ops").rows}
    assert rows["Conv"]["macs"] == "unknown"


def test_the_model_is_not_changed() -> None:
    model = build(CONV, [1, 3, 8, 8], WEIGHTS)
    before = ir.to_proto(model.ir).SerializeToString(deterministic=True)
    describe.sections(model)
    assert ir.to_proto(model.ir).SerializeToString(deterministic=True) == before


def test_a_shared_weight_counts_once() -> None:
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["a"], name="a", pads=[1, 1, 1, 1]),
        helper.make_node("Conv", ["a", "w"], ["y"], name="b", pads=[1, 1, 1, 1]),
    ]
    facts = facts_of(build(nodes, [1, 3, 8, 8], {"w": np.ones((3, 3, 3, 3), np.float32)}))
    assert facts["parameters"] == 81
    assert facts["macs"] == 2 * 3 * 64 * 27


def test_constant_nodes_are_parameters_too() -> None:
    constant = helper.make_node("Constant", [], ["k"], value=numpy_helper.from_array(np.ones(5, np.float32)))
    nodes = [constant, helper.make_node("Add", ["x", "k"], ["y"])]
    assert facts_of(build(nodes, [5], {}))["parameters"] == 5


def test_custom_ops_are_named_and_their_arithmetic_is_unknown() -> None:
    nodes = [helper.make_node("Magic", ["x"], ["y"], domain="com.example", name="m")]
    model = build(nodes, [1, 3], {}, {"com.example": 1})
    assert facts_of(model)["custom_ops"] == 1
    assert facts_of(model)["macs"] == "unknown"
    [row] = table_of(model, "ops").rows
    assert row["op"] == "com.example.Magic"
    assert "custom" in str(row["defined_by"])


def test_scopes_sum_what_lies_below_them() -> None:
    model = build(CONV, [1, 3, 8, 8], WEIGHTS)
    for node, scope in zip(model.ir.graph, ("features.0.conv", "features.0.act"), strict=True):
        set_origin(node, Origin((node.name or "",), scope))
    [row] = table_of(model, "scopes").rows
    assert row == {"scope": "features.0", "nodes": 2, "parameters": 108, "macs": 4 * 64 * 27}


def test_the_squeezenet_of_the_onnx_wheel() -> None:
    """SqueezeNet 1.0 does 0.35 G multiply-accumulate operations (Iandola et al., 2016, table 1 networks)."""
    path = Path(onnx.__file__).parent / "backend/test/data/light/light_squeezenet.onnx"
    facts = facts_of(Model(ir.load(path), path=path))
    assert facts["macs"] == pytest.approx(349e6, rel=0.01)


def delta(name: str, status: Status, **numbers: float) -> Delta:
    return Delta(name, status, max_abs=numbers.get("max_abs"), low=0.0, high=2.0, limit=numbers.get("limit"))


def verification(verdict: Known, *deltas: Delta, reason: str | None = None) -> Verification:
    return Verification(verdict, Evidence.EXECUTED, deltas=deltas, samples=4, inputs="golden", reason=reason)


def test_a_verified_artifact_holds() -> None:
    seen = verification(Known.VERIFIED, delta("y", Status.AGREE, max_abs=1e-6, limit=1e-4))
    line = verdicts.verdict(seen, "m.tflite")
    assert (line.status, line.exit_code) == (VerdictStatus.OK, ExitCode.HOLDS)
    assert line.text == "`m.tflite` is verified, 1 of 1 outputs agree, max error 5.0e-07 of the range"
    assert [c.status for c in verdicts.checks(seen)] == [CheckStatus.PASS]


@pytest.mark.parametrize("status", [Status.DIFFER, Status.MISSING, Status.NOT_OBSERVABLE])
def test_an_output_that_is_wrong_or_absent_is_a_failure_never_a_skip(status: Status) -> None:
    seen = verification(Known.MISMATCH, delta("y", status), delta("z", Status.AGREE, max_abs=0.0, limit=1e-4))
    assert [c.status for c in verdicts.checks(seen)] == [CheckStatus.FAIL, CheckStatus.PASS]
    assert verdicts.verdict(seen, "m").exit_code is ExitCode.DOES_NOT_HOLD


def test_nothing_compared_is_no_success_unless_it_was_asked_for() -> None:
    seen = not_verified("the source cannot be run")
    assert verdicts.verdict(seen, "m").exit_code is ExitCode.NOTHING_CHECKED
    assert verdicts.verdict(seen, "m", wanted=False).exit_code is ExitCode.HOLDS
    assert verdicts.verdict(seen, "m", wanted=False).status is VerdictStatus.UNVERIFIED
    [check] = verdicts.checks(seen)
    assert (check.status, check.message) == (CheckStatus.UNCHECKED, "the source cannot be run")


def test_the_note_says_what_the_verdict_rests_on() -> None:
    seen = Verification(
        Known.VERIFIED,
        Evidence.EXECUTED,
        "onnxruntime 1.32.0",
        "litert 2.3.0",
        (delta("y", Status.AGREE, max_abs=0.0, limit=1e-4),),
        8,
        "generated",
        7,
    )
    [table] = verdicts.sections(seen)
    assert isinstance(table, Table)
    assert table.note == (
        "evidence: executed; 8 generated samples, seed 7; "
        "source on onnxruntime 1.32.0; artifact on litert 2.3.0"
    )


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (
            np.array([[1.0, 3.0, 2.0]], np.float32),
            {"min": 1.0, "max": 3.0, "mean": 2.0, "argmax": "[0, 1]", "nonfinite": 0},
        ),
        (np.array([np.nan, 1.0, np.inf], np.float32), {"max": 1.0, "nonfinite": 2, "argmax": "[1]"}),
        (np.array([np.nan], np.float32), {"nonfinite": 1}),
        (np.array(7, np.int64), {"max": 7.0, "argmax": "[]", "dtype": "int64"}),
        (np.array([True, False]), {"max": 1.0, "mean": 0.5}),
        (np.zeros((0, 4), np.float32), {"shape": "[0, 4]"}),
        (np.array(["a"], object), {"dtype": "string"}),
        (np.array([1.5, -2], ml_dtypes.bfloat16), {"min": -2.0, "max": 1.5, "dtype": "bfloat16"}),
    ],
)
def test_statistics_of_an_output(array: np.ndarray, expected: dict[str, object]) -> None:
    [row] = outputs_table({"y": array}).rows
    assert {key: row.get(key) for key in expected} == expected


def test_an_output_without_finite_elements_has_no_extremes() -> None:
    [row] = outputs_table({"y": np.array([np.nan], np.float32)}).rows
    assert "max" not in row
