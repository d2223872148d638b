"""Trained models of others become TFLite files that do what their sources do.

docs/corpus.md has all of them; here are those that take little time.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from edgekit import api
from edgekit.artifact import Artifact, Verdict
from edgekit.report.describe.emitted import emitted_ops

pytestmark = pytest.mark.corpus

LIMIT = 1e-4
"""Largest error accepted, as a fraction of an output's range."""

# With how many transposes: 1 where an NCHW input of several channels enters a network of convolutions.
ONNX_MODELS = {
    "ort_inference_examples/mnist.onnx": 0,
    "samplenet_omz/samplenet.onnx": 1,
    "ultraface/version-RFB-320.onnx": 1,
    "dtln/model_1.onnx": 0,
    "dtln/model_2.onnx": 0,
}
KERAS_MODELS = ("mlperf_tiny/str_ww_ref_model.h5", "samplenet_omz/samplenet_tf2")
"""A file of Keras 2 that Keras 3 refuses, and a SavedModel."""


@pytest.mark.parametrize("name", ONNX_MODELS)
def test_onnx_models_are_converted_exactly(corpus: Path, name: str) -> None:
    artifact = api.convert(corpus / name)
    check(artifact)
    assert transposes(artifact) == ONNX_MODELS[name]


def test_with_nhwc_inputs_no_transpose_is_left(corpus: Path) -> None:
    artifact = api.convert(corpus / "samplenet_omz/samplenet.onnx", io_layout="nhwc")
    check(artifact)
    assert transposes(artifact) == 0


@pytest.mark.keras
@pytest.mark.parametrize("name", KERAS_MODELS)
def test_keras_models_are_converted_exactly(corpus: Path, name: str) -> None:
    for package in ("tensorflow", "tf_keras", "tf2onnx"):
        if importlib.util.find_spec(package) is None:
            pytest.skip("needs the keras extra")
    artifact = api.convert(corpus / name)
    check(artifact)
    assert transposes(artifact) == 0


def test_a_quantised_network_gives_the_very_same_values(corpus: Path) -> None:
    artifact = api.convert(corpus / "mlperf_tiny_v1_3_onnx/deep_autoencoder.onnx")
    check(artifact)
    assert artifact.verification is not None
    assert [delta.max_abs for delta in artifact.verification.deltas] == [0.0]


def check(artifact: Artifact) -> None:
    """Holds the artifact to the limit on inputs that exercise every output."""
    verification = artifact.verification
    assert verification is not None
    assert verification.verdict is Verdict.VERIFIED, verification
    assert [delta.tensor for delta in verification.deltas] == [spec.name for spec in artifact.outputs]
    for delta in verification.deltas:
        assert delta.relative is not None, delta
        assert delta.relative <= LIMIT, delta
        assert delta.notes == (), delta


def transposes(artifact: Artifact) -> int:
    return sum(op.op == "TRANSPOSE" for op in emitted_ops(artifact))
