"""The golden models as int8 in LiteRT: against their QDQ model in steps, and on their labels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from edgekit import api
from edgekit.artifact import Artifact, Verdict
from edgekit.diagnostics import EdgekitError
from edgekit.runners import runner_for
from edgekit.runners.execute import ArtifactRunner
from edgekit.tflite.reader import read_tflite

GOLDEN = Path(__file__).parents[3] / "golden" / "models"


def floats(artifact):
    ops = read_tflite(artifact.model_file.read()).main.ops
    return [
        o.op for o in ops if any(v is not None and v.dtype == np.float32 for v in (*o.inputs, *o.outputs))
    ]


def accuracy(artifact, samples):
    """Share of the labels that the artifact finds, and that the float model found."""
    (x,), (y,) = artifact.inputs, artifact.outputs
    with runner_for("tflite") as litert, ArtifactRunner(artifact, litert) as runner:
        scores = [
            runner.run({x.name: samples[x.name][i : i + 1]})[y.name] for i in range(len(samples["labels"]))
        ]
    found = np.concatenate(scores).argmax(-1)
    return (found == samples["labels"]).mean(), (
        samples[f"output:{y.name}"].argmax(-1) == samples["labels"]
    ).mean()


@pytest.mark.parametrize(
    ("name", "scheme"),
    [("digits_cnn_torch", "int8"), ("digits_cnn_torch", "int8-per-tensor"), ("mobile_se_torch", "int8")],
)
def test_classifiers(name, scheme):
    path = GOLDEN / name / "model.onnx"
    artifact = api.quantize(path, scheme=scheme, require_full_integer=True)
    assert artifact.verification.verdict is Verdict.VERIFIED, artifact.verification
    assert floats(artifact) == ["QUANTIZE", "DEQUANTIZE"]
    samples = load_file(path.with_name("samples.safetensors"))
    quantised, plain = accuracy(artifact, samples)
    assert quantised >= plain - 2 / len(samples["labels"])
    rows = {row["form"]: row for row in artifact.recipe["quantization"]["accuracy"]}
    assert rows["simulated"]["sqnr_db"] > 25
    assert rows["executed"]["sqnr_db"] > 25
    assert rows["executed"]["top1"] > 0.9
    assert rows["executed"]["task"] == pytest.approx(quantised)
    assert rows["float"]["task"] == pytest.approx(plain)


def test_detector():
    artifact = api.quantize(GOLDEN / "detector_torch" / "model.onnx", require_full_integer=True)
    assert artifact.verification.verdict is Verdict.VERIFIED, artifact.verification
    assert all(row["sqnr_db"] > 25 for row in artifact.recipe["quantization"]["accuracy"])


def test_integer_inputs_and_outputs_survive_saving(tmp_path):
    path = GOLDEN / "digits_cnn_torch" / "model.onnx"
    artifact = api.quantize(path, integer_io=True, require_full_integer=True)
    assert artifact.verification.verdict is Verdict.VERIFIED, artifact.verification
    assert floats(artifact) == []
    again = Artifact.open(artifact.save(tmp_path / "a"))
    assert again.input_bindings == artifact.input_bindings
    assert again.output_bindings[0].quant is not None
    assert again.source.sha256 == api.load(path).sha256


def test_the_qdq_model_is_an_artifact_too():
    artifact = api.quantize(GOLDEN / "digits_cnn_torch" / "model.onnx", "onnx")
    assert artifact.verification.verdict is Verdict.VERIFIED
    with pytest.raises(EdgekitError) as caught:
        api.quantize(GOLDEN / "digits_cnn_torch" / "model.onnx", "onnx", integer_io=True)
    assert caught.value.diagnostics[0].code == "EK202"


def test_a_recurrent_model_says_what_stays_in_float():
    path = GOLDEN / "digits_gru_torch" / "model.onnx"
    with pytest.raises(EdgekitError) as caught:
        api.quantize(path, require_full_integer=True)
    assert {d.code for d in caught.value.diagnostics} == {"EK402"}
    assert all(d.where.nodes for d in caught.value.diagnostics)


def test_samples_of_an_iterable_and_none(tmp_path):
    held = load_file(GOLDEN / "digits_cnn_torch" / "samples.safetensors")["image"]
    alone = tmp_path / "model.onnx"
    alone.write_bytes((GOLDEN / "digits_cnn_torch" / "model.onnx").read_bytes())
    artifact = api.quantize(alone, calibrate=({"image": held[i : i + 1]} for i in range(8)), verify=False)
    assert artifact.recipe["quantization"]["samples"] == 8
    with pytest.raises(EdgekitError) as caught:
        api.quantize(alone)
    assert caught.value.diagnostics[0].code == "EK403"
