"""Compressed weights: smaller packages, verified in two steps, and faults in them."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from edgekit import api
from edgekit.artifact import Artifact, ArtifactFile, Verdict
from edgekit.consistency.compressed import verify_compressed
from edgekit.diagnostics import EdgekitError
from edgekit.runners.execute import run_artifact

pytest.importorskip("coremltools", reason="the extra `coreml` is not installed")
from dataclasses import replace

from tests.unit.lowering.coreml.packages import changed, model, op_types, operations

FLOAT = TensorProto.FLOAT


def network() -> onnx.ModelProto:
    rng = np.random.default_rng(0)
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["a"], "conv", pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["a"], ["r"], "relu"),
        helper.make_node("GlobalAveragePool", ["r"], ["p"], "pool"),
        helper.make_node("Flatten", ["p"], ["f"], "flat"),
        helper.make_node("MatMul", ["f", "v"], ["y"], "dense"),
    ]
    return model(
        nodes,
        {"x": (FLOAT, [1, 3, 8, 8])},
        {"y": (FLOAT, [1, 64])},
        w=rng.standard_normal((128, 3, 3, 3)).astype(np.float32),
        v=rng.standard_normal((128, 64)).astype(np.float32),
    )


def convert(verify: bool = False, **options: Any) -> Artifact:
    return api.convert(network(), "coreml", verify=verify, options=options)


DENSE, AFFINE, BLOCKS = (
    "constexpr_sparse_to_dense",
    "constexpr_affine_dequantize",
    "constexpr_blockwise_shift_scale",
)
TABLE = "constexpr_lut_to_dense"


@pytest.mark.parametrize(
    ("target", "wanted", "op", "least_db"),
    [
        ("iOS16", "int8", AFFINE, 30),
        ("iOS18", "int8", BLOCKS, 30),
        ("iOS18", {"kind": "int8", "block": 16}, BLOCKS, 30),
        ("iOS18", {"kind": "int4", "block": 16}, BLOCKS, 5),
        ("iOS16", {"kind": "palettize", "bits": 6}, TABLE, 20),
        ("iOS16", {"kind": "palettize", "bits": 8, "mode": "uniform"}, TABLE, 30),
        ("iOS18", {"kind": "palettize", "bits": 4, "block": 16}, TABLE, 15),
        ("iOS16", {"kind": "prune", "sparsity": 0.3}, DENSE, 5),
        ("iOS18", {"kind": "prune", "sparsity": 0.3}, DENSE, 5),
    ],
)
def test_every_kind_is_verified_and_its_cost_is_told(
    target: str, wanted: Any, op: str, least_db: float
) -> None:
    if isinstance(wanted, dict) and wanted.get("mode") != "uniform" and wanted["kind"] == "palettize":
        pytest.importorskip("sklearn", reason="k-means needs scikit-learn")
    artifact = convert(verify=True, minimum_deployment_target=target, compress_weights=wanted)
    assert op in op_types(artifact)
    assert artifact.verification is not None
    assert artifact.verification.verdict is Verdict.VERIFIED
    made = artifact.recipe["compression"]
    assert made["bytes"] < made["bytes_before"]
    (cost,) = made["loss"]
    assert cost["tensor"] == "y"
    assert least_db < cost["sqnr_db"] < 100
    x = np.random.default_rng(3).uniform(0, 1, (1, 3, 8, 8)).astype(np.float32)
    assert not np.array_equal(run_artifact(artifact, {"x": x})["y"], run_artifact(convert(), {"x": x})["y"])


def outcome(artifact: Artifact) -> Any:
    return verify_compressed(api.load(network()), artifact, convert()).verification


def test_a_changed_code_in_the_weight_file_is_found() -> None:
    artifact = convert(compress_weights="int8")
    assert outcome(artifact).verdict is Verdict.VERIFIED
    place = next(i for i, f in enumerate(artifact.files) if f.name.endswith("weight.bin"))
    payload = bytearray(artifact.files[place].read())
    payload[-200] ^= 0x40
    files = list(artifact.files)
    files[place] = ArtifactFile.of(files[place].name, bytes(payload))
    found = outcome(replace(artifact, files=tuple(files)))
    assert found.verdict is Verdict.MISMATCH
    assert "than its compression explains" in (found.reason or "")


def test_another_op_beside_the_weights_is_found() -> None:
    def change(message: Any) -> None:
        next(op for op in operations(message) if op.type == "relu").type = "tanh"

    found = outcome(changed(convert(compress_weights="int8"), change))
    assert found.verdict is Verdict.MISMATCH
    assert "(relu) is not what it was" in (found.reason or "")


def test_pictures_labels_and_states_survive_compression() -> None:
    labels = "\n".join(f"class {n}" for n in range(64))
    options = {"classifier": "y", "image_input": {"name": "x", "scale": 1 / 255}, "compress_weights": "int8"}
    artifact = api.convert(network(), "coreml", labels=labels, options=options)
    assert artifact.verification is not None
    assert artifact.verification.verdict is Verdict.VERIFIED
    assert op_types(artifact)[-1] == "classify"


def test_k_means_without_its_package_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgekit.lowering.coreml.compression.importlib.util.find_spec", lambda name: None)
    with pytest.raises(EdgekitError, match="scikit-learn"):
        convert(compress_weights={"kind": "palettize", "bits": 4})
