"""States: what a package keeps from one run to the next."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

from edgekit import api
from edgekit.artifact import Artifact, Verdict
from edgekit.diagnostics import EdgekitError
from edgekit.runners.execute import payload_of, run_artifact
from edgekit.runners.mil_reference.model import MilModel

pytest.importorskip("coremltools", reason="the extra `coreml` is not installed")
from tests.unit.lowering.coreml.packages import changed, model, op_types, operations, spec, verdict

FLOAT = TensorProto.FLOAT


def network() -> onnx.ModelProto:
    """A recurrent cell; `h` is `after` of the step before."""
    rng = np.random.default_rng(0)
    nodes = [
        helper.make_node("Concat", ["x", "h"], ["c"], axis=1),
        helper.make_node("MatMul", ["c", "w"], ["m"], "dense"),
        helper.make_node("Tanh", ["m"], ["after"], "tanh"),
        helper.make_node("MatMul", ["after", "u"], ["y"], "head"),
    ]
    return model(
        nodes,
        {"x": (FLOAT, [1, 8]), "h": (FLOAT, [1, 16])},
        {"y": (FLOAT, [1, 4]), "after": (FLOAT, [1, 16])},
        w=(rng.standard_normal((24, 16)) * 0.3).astype(np.float32),
        u=rng.standard_normal((16, 4)).astype(np.float32),
    )


def convert(verify: bool = False, **options: Any) -> Artifact:
    return api.convert(
        network(), "coreml", verify=verify, options={"state": {"h": "after"}, "precision": "fp32", **options}
    )


def steps(count: int) -> list[np.ndarray]:
    rng = np.random.default_rng(1)
    return [rng.standard_normal((1, 8)).astype(np.float32) for _ in range(count)]


def by_hand(inputs: list[np.ndarray]) -> list[np.ndarray]:
    evaluator = ReferenceEvaluator(network())
    held, outputs = np.zeros((1, 16), np.float32), []
    for x in inputs:
        y, held = evaluator.run(None, {"x": x, "h": held})
        outputs.append(y)
    return outputs


@pytest.mark.parametrize("precision", ["fp16", "fp32"])
def test_a_sequence_is_verified(precision: str) -> None:
    artifact = convert(verify=True, precision=precision)
    description = spec(artifact).description
    assert [f.name for f in description.state] == ["h"]
    assert [f.name for f in description.input] == ["x"]
    assert [f.name for f in description.output] == ["y"]
    assert {"read_state", "write_state"} <= set(op_types(artifact))
    assert artifact.verification is not None
    assert artifact.verification.verdict is Verdict.VERIFIED
    assert any("steps of one sequence" in note for note in artifact.verification.notes)


def test_the_evaluator_carries_the_state_from_run_to_run() -> None:
    inputs = steps(5)
    with payload_of(convert()) as payload:
        loaded = MilModel(payload)
        held = loaded.make_states()
        found = [loaded.run({"x": x}, states=held)["y"] for x in inputs]
        fresh = [loaded.run({"x": x})["y"] for x in inputs]
    expected = by_hand(inputs)
    np.testing.assert_allclose(found, expected, atol=5e-3)
    assert np.abs(np.subtract(fresh[1:], expected[1:])).max() > 0.1


def test_a_run_takes_and_gives_the_state() -> None:
    artifact = convert()
    held: dict[str, np.ndarray] = {}
    for x, expected in zip(steps(3), by_hand(steps(3)), strict=True):
        results = run_artifact(artifact, {"x": x, **held})
        held = {"h": results["after"]}
        np.testing.assert_allclose(results["y"], expected, atol=5e-3)


def test_a_package_that_forgets_to_write_is_found() -> None:
    def forget(message: Any) -> None:
        ops = operations(message)
        (place,) = (i for i, op in enumerate(ops) if op.type == "write_state")
        del ops[place]

    found = verdict(network(), changed(convert(), forget))
    assert found.verdict is Verdict.MISMATCH


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"state": {"h": "y"}}, "their shapes are"),
        ({"state": {"z": "y"}}, "no input `z`"),
        ({"state": {"h": "after"}, "minimum_deployment_target": "iOS17"}, "needs iOS18"),
    ],
)
def test_what_cannot_be_a_state_is_refused(options: dict[str, Any], text: str) -> None:
    with pytest.raises(EdgekitError, match=text):
        convert(**options)
