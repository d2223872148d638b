"""Mixed precision: what float16 cannot hold is found, and stays in float32."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from edgekit import api
from edgekit.artifact import Artifact, Verdict

pytest.importorskip("coremltools", reason="the extra `coreml` is not installed")
from tests.unit.lowering.coreml.packages import model, operations, spec

FLOAT = TensorProto.FLOAT
HALF = 10


def network(offset: float) -> onnx.ModelProto:
    """A norm whose squares leave float16 where the offset is large, after a layer that does not mind."""
    rng = np.random.default_rng(0)
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["a"], "dense"),
        helper.make_node("Add", ["a", "offset"], ["b"], "offset"),
        helper.make_node("Mul", ["b", "b"], ["c"], "square"),
        helper.make_node("ReduceMean", ["c", "axes"], ["d"], "mean", keepdims=1),
        helper.make_node("Sqrt", ["d"], ["e"], "root"),
        helper.make_node("Div", ["b", "e"], ["y"], "norm"),
    ]
    weights = {"offset": np.array([offset], np.float32), "axes": np.array([1])}
    return model(
        nodes,
        {"x": (FLOAT, [1, 16])},
        {"y": (FLOAT, [1, 32])},
        w=(rng.standard_normal((16, 32)) * 100).astype(np.float32),
        **weights,
    )


def convert(offset: float, **options: Any) -> Artifact:
    return api.convert(network(offset), "coreml", options=options)


def halves(artifact: Artifact) -> dict[str, bool]:
    """Tells of each type of op whether it computes in float16."""
    return {
        op.type: op.outputs[0].type.tensorType.dataType == HALF
        for op in operations(spec(artifact))
        if op.type not in ("const", "cast")
    }


def test_what_overflows_is_kept_and_the_rest_is_not() -> None:
    plain = convert(300.0, precision="fp16")
    assert plain.verification is not None
    assert plain.verification.verdict is Verdict.MISMATCH
    artifact = convert(300.0, precision="mixed")
    assert artifact.verification is not None
    assert artifact.verification.verdict is Verdict.VERIFIED
    found = halves(artifact)
    assert found["linear"]
    assert not found["mul"]
    assert "square" in artifact.recipe["options"]["keep_fp32"]
    assert "stay in float32" in artifact.diagnostics[0].message


def test_a_model_that_minds_nothing_is_float16() -> None:
    rng = np.random.default_rng(0)
    weight = rng.standard_normal((16, 32)).astype(np.float32)
    source = model(
        [helper.make_node("MatMul", ["x", "w"], ["y"], "dense")],
        {"x": (FLOAT, [1, 16])},
        {"y": (FLOAT, [1, 32])},
        w=weight,
    )
    artifact = api.convert(source, "coreml", options={"precision": "mixed"})
    assert artifact.recipe["options"]["precision"] == "fp16"
    assert "all are float16" in artifact.diagnostics[0].message
