"""Arm's Vela compiles int8 artifacts for the Ethos-U55, and leaves on the CPU only what the report says."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from edgekit import api
from edgekit.artifact import Artifact

VELA = shutil.which("vela")
GOLDEN = Path(__file__).resolve().parents[2] / "golden" / "models"
CNNS = ("digits_cnn_torch", "digits_cnn_keras", "mobile_se_torch", "detector_torch")
CORPUS = (
    "mlperf_tiny/ad01_int8.tflite",
    "mlperf_tiny/pretrainedResnet_quant.tflite",
    "mlperf_tiny/vww_96_int8.tflite",
    "mlperf_tiny/str_ww_ref_model.tflite",
    "tflite_micro/micro_speech_quantized.tflite",
    "tflite_micro/person_detect.tflite",
    "tinyengine/vww.tflite",
    "tinyengine/detection.tflite",
    "tinyengine/mcunetv2_large.tflite",
    "tinyengine/ptq_mnist_lenet-300-100.tflite",
    "mlperf_tiny_v1_3_onnx/deep_autoencoder.onnx",
    "mlperf_tiny_v1_3_onnx/resnet.onnx",
)

pytestmark = pytest.mark.skipif(VELA is None, reason="Arm's compiler `vela` is not on the path")


def on_the_cpu(artifact: Artifact, folder: Path) -> int:
    """Compiles the file; returns how many ops Vela leaves on the CPU."""
    path = folder / "model.tflite"
    path.write_bytes(artifact.model_file.read())
    command = [str(VELA), str(path), "--accelerator-config", "ethos-u55-128", "--output-dir", str(folder)]
    done = subprocess.run(
        [*command, "--show-cpu-operations"], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = re.search(r"CPU operators = (\d+)", done.stdout)
    assert found is not None, done.stdout
    return int(found[1])


def predicted(artifact: Artifact) -> int:
    """Returns how many ops the report says stay in float."""
    return sum(int(d.data["count"]) for d in artifact.diagnostics if d.code == "EK401")


@pytest.mark.parametrize("name", CNNS)
def test_golden_networks_have_no_op_on_the_cpu(name: str, tmp_path: Path) -> None:
    source = GOLDEN / name / "model.onnx"
    sizes = {s.name: [d if isinstance(d, int) else 1 for d in s.shape or ()] for s in api.load(source).inputs}
    artifact = api.quantize(source, input_shapes=sizes, integer_io=True, verify=False)
    assert predicted(artifact) == 0
    assert on_the_cpu(artifact, tmp_path) == 0


@pytest.mark.corpus
@pytest.mark.parametrize("name", CORPUS)
def test_networks_that_arrive_quantised_have_only_what_was_said(
    corpus: Path, name: str, tmp_path: Path
) -> None:
    source = corpus / name
    sizes = {s.name: [d if isinstance(d, int) else 1 for d in s.shape or ()] for s in api.load(source).inputs}
    artifact = api.convert(source, verify=False, options={"integer_io": True}, input_shapes=sizes)
    assert on_the_cpu(artifact, tmp_path) == predicted(artifact)
