"""Quantised TFLite files of the corpus, written again: the same output to the bit, in LiteRT."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from edgekit import api
from edgekit.artifact import Artifact
from edgekit.ir import Model
from edgekit.lowering.tflite.reader import read_tflite
from edgekit.runners import Array, runner_for
from edgekit.runners.execute import ArtifactRunner

pytestmark = pytest.mark.corpus

SAMPLES = 24
SAME_OPS = (
    "mlperf_tiny/ad01_int8",
    "mlperf_tiny/pretrainedResnet_quant",
    "mlperf_tiny/vww_96_int8",
    "mlperf_tiny/str_ww_ref_model",
    "tflite_micro/hello_world_int8",
    "tinyengine/detection",
    "tinyengine/ptq_mnist_lenet-300-100",
    "coral_edgetpu/mobilenet_v1_0.25_128_quant",
    "tflite_support/mobilenet_v1_0.25_224_quant",
)
"""Files whose ops are written again one by one."""
SAME_OUTPUT = (
    *SAME_OPS,
    "tflite_micro/micro_speech_quantized",
    "tinyengine/vww",
    "tinyengine/mcunetv2_large",
)


def photograph(corpus: Path) -> Array:
    """A photograph of 96 by 96 pixels; its file is rows of blue, green, red from the bottom up."""
    data = (corpus / "tflite_micro/person_detection_bmp/person.bmp").read_bytes()
    start, width, height = (int.from_bytes(data[i : i + 4], "little") for i in (10, 18, 22))
    depth = int.from_bytes(data[28:30], "little") // 8
    pixels = np.frombuffer(data, np.uint8, offset=start)[: width * height * depth]
    rows = pixels.reshape(height, width, depth)[::-1, :, :3]
    return rows[..., ::-1] if depth >= 3 else np.repeat(rows[..., :1], 3, axis=2)


def sound(corpus: Path) -> Array:
    """Mel spectra of a machine, 640 numbers for each of many windows."""
    data = np.fromfile(corpus / "mlperf_tiny/ad_input/normal_id_01_00000000_hist_librosa.bin", np.float32)
    return data[: len(data) // 640 * 640].reshape(-1, 640)


def samples(model: Model, corpus: Path) -> Iterator[dict[str, Array]]:
    """Crops of a photograph for images, spectra for the machine, else random numbers; as codes."""
    rng = np.random.default_rng(8)
    (spec,) = model.inputs
    shape = [d if isinstance(d, int) else 1 for d in spec.shape or ()]
    photo, spectra = photograph(corpus), sound(corpus)
    for number in range(SAMPLES):
        if len(shape) == 4 and shape[3] == 3:
            size = int(rng.integers(24, 97))
            top, left = (int(rng.integers(0, 97 - size)) for _ in range(2))
            rows, columns = (np.arange(n) * size // n for n in shape[1:3])
            real = photo[top + rows][:, left + columns][None].astype(np.float32)
            real = {"int8": real - 128, "uint8": real}.get(spec.dtype.name, real / 127.5 - 1)
        elif shape[-1] == 640:
            real = spectra[number * 7 % len(spectra)][None] / 0.391 + 89
        else:
            real = rng.normal(0, 50 if spec.dtype.kind in "iu" else 1, shape)
        if spec.dtype.kind in "iu":
            info = np.iinfo(spec.dtype)
            real = np.clip(np.rint(real), info.min, info.max)
        yield {spec.name: real.astype(spec.dtype)}


@pytest.mark.parametrize("name", SAME_OUTPUT)
def test_written_again_it_gives_the_same_integers(corpus: Path, name: str) -> None:
    path = corpus / f"{name}.tflite"
    model = api.load(path)
    artifact = api.convert(model, verify=False)
    seen = set()
    with runner_for("tflite") as original, ArtifactRunner(artifact) as again:
        for sample in samples(model, corpus):
            want, got = original.run(path, sample), again.run(sample)
            for a, b in zip(want.values(), got.values(), strict=True):
                np.testing.assert_array_equal(b, a)
            seen.add(b"".join(a.tobytes() for a in want.values()))
    assert len(seen) > 1, "the samples must not all give the same"


def ops_of(source: Path | Artifact) -> list[str]:
    payload = source.model_file.read() if isinstance(source, Artifact) else source
    return [op.op for op in read_tflite(payload).main.ops]


@pytest.mark.parametrize("name", SAME_OPS)
def test_written_again_it_has_the_same_ops(corpus: Path, name: str) -> None:
    path = corpus / f"{name}.tflite"
    assert ops_of(api.convert(path, verify=False)) == ops_of(path)


def test_a_file_that_litert_refuses_is_held_against_the_hub(corpus: Path) -> None:
    source = corpus / "tflite_micro/person_detect.tflite"
    verification = api.convert(source, inputs=list(samples(api.load(source), corpus))[:2]).verification
    assert verification is not None
    assert verification.holds
    assert (verification.oracle or "").startswith("onnxruntime")
    assert "litert refuses the source model" in verification.notes


def test_integers_of_an_onnx_file_are_kept(corpus: Path) -> None:
    """Weights and biases of the QDQ autoencoder are in the artifact as they are, and it is verified."""
    path = corpus / "mlperf_tiny_v1_3_onnx/deep_autoencoder.onnx"
    model, artifact = api.load(path), api.convert(path)
    assert artifact.verification is not None
    assert artifact.verification.holds
    held = [v.const_value.numpy() for v in model.ir.graph.initializers.values() if v.const_value is not None]
    kept = {a.tobytes() for a in held} | {np.ascontiguousarray(a.T).tobytes() for a in held}
    for op in read_tflite(artifact.model_file.read()).main.ops:
        for value in op.inputs[1:]:
            assert value is not None
            assert value.data is not None
            assert value.data.tobytes() in kept
