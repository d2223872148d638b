"""Classifiers: labels in the package, and the verification of both of its outputs."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from edgekit import api
from edgekit.artifact import Artifact, Verdict
from edgekit.diagnostics import EdgekitError
from edgekit.runners.execute import run_artifact

pytest.importorskip("coremltools", reason="the extra `coreml` is not installed")
from tests.unit.lowering.coreml.packages import changed, model, op_types, operations, spec, verdict

FLOAT = TensorProto.FLOAT
LABELS = "cat\ndog\ncow\nhen\n"


def network(shape: Any = (1, 4)) -> onnx.ModelProto:
    rng = np.random.default_rng(0)
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["logits"], "dense"),
        helper.make_node("Softmax", ["logits"], ["y"], "softmax", axis=1),
    ]
    outputs = {"y": (FLOAT, list(shape)), "logits": (FLOAT, list(shape))}
    weight = rng.standard_normal((8, shape[-1])).astype(np.float32)
    return model(nodes, {"x": (FLOAT, [shape[0], 8])}, outputs, w=weight)


def convert(labels: str | None = LABELS, verify: bool = False, **options: Any) -> Artifact:
    wanted = {"classifier": "y", **options}
    return api.convert(network(), "coreml", verify=verify, labels=labels, options=wanted)


def message(**given: Any) -> str:
    with pytest.raises(EdgekitError) as refusal:
        convert(**given)
    (diagnostic,) = refusal.value.diagnostics
    assert diagnostic.code == "EK204"
    return diagnostic.message


@pytest.mark.parametrize("precision", ["fp16", "fp32"])
def test_a_classifier_is_verified(precision: str) -> None:
    artifact = convert(verify=True, precision=precision)
    description = spec(artifact).description
    assert description.predictedFeatureName == "classLabel"
    assert description.predictedProbabilitiesName == "classLabel_probs"
    assert op_types(artifact)[-1] == "classify"
    assert artifact.verification is not None
    assert artifact.verification.verdict is Verdict.VERIFIED
    assert {d.tensor for d in artifact.verification.deltas} == {"y", "logits"}


def test_the_label_is_among_the_results() -> None:
    artifact = convert(classifier={"output": "y", "label": "animal"})
    x = np.random.default_rng(1).standard_normal((1, 8)).astype(np.float32)
    results = run_artifact(artifact, {"x": x})
    assert results["animal"].item() == LABELS.split()[int(results["y"].argmax())]
    assert results["y"].shape == (1, 4)


def test_two_labels_exchanged_in_the_package_are_found() -> None:
    artifact = convert()

    def exchange(spec: Any) -> None:
        classify = next(op for op in operations(spec) if op.type == "classify")
        labels = classify.inputs["classes"].arguments[0].value.immediateValue.list.values
        first, second = labels[0].SerializeToString(), labels[1].SerializeToString()
        labels[0].ParseFromString(second)
        labels[1].ParseFromString(first)

    assert verdict(network(), changed(artifact, exchange)).verdict is Verdict.MISMATCH


def test_a_label_of_another_name_is_found() -> None:
    def rename(spec: Any) -> None:
        classify = next(op for op in operations(spec) if op.type == "classify")
        labels = classify.inputs["classes"].arguments[0].value.immediateValue.list.values
        labels[3].immediateValue.tensor.strings.values[0] = "duck"

    found = verdict(network(), changed(convert(), rename))
    assert found.verdict is Verdict.MISMATCH
    assert "are not those that were given" in (found.reason or "")


def test_what_the_label_file_lacks_is_said() -> None:
    assert "needs class labels" in message(labels=None)
    assert "has 5 labels, the output `y` has 4 classes" in message(labels="background\n" + LABELS)
    assert "`cat` stands on the lines 1 and 4" in message(labels="cat\ndog\ncow\ncat\n")
    assert "line 2 of the label file is empty" in message(labels="cat\n\ndog\ncow\n")
    assert "no output `z`" in message(classifier="z")


def test_an_output_of_several_rows_is_no_classifier() -> None:
    with pytest.raises(EdgekitError, match="no vector of scores"):
        api.convert(network((2, 4)), "coreml", verify=False, labels=LABELS, options={"classifier": "y"})


def test_scores_without_a_softmax_are_called_so() -> None:
    artifact = convert(classifier="logits")
    (note,) = artifact.diagnostics
    assert "are scores, not probabilities" in note.message
    assert verdict(network(), artifact).verdict is Verdict.VERIFIED
    assert convert().diagnostics == ()
