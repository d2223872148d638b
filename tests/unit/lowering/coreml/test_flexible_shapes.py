"""Flexible shapes: listed ones and ranges, each of them run by the verification."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from edgekit import api
from edgekit.artifact import Artifact, Verdict
from edgekit.consistency.generate import Generator
from edgekit.consistency.limits import limits_of
from edgekit.diagnostics import EdgekitError
from edgekit.runners.execute import run_artifact

pytest.importorskip("coremltools", reason="the extra `coreml` is not installed")
from tests.unit.lowering.coreml.packages import model

FLOAT = TensorProto.FLOAT
LISTED = [[1, 3, 8, 8], [1, 3, 12, 16], [2, 3, 8, 9]]


def network() -> onnx.ModelProto:
    rng = np.random.default_rng(0)
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"], "conv"),
        helper.make_node("MaxPool", ["c"], ["p"], "max", kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Shape", ["p"], ["s"], start=0, end=2),
        helper.make_node("Concat", ["s", "rest"], ["to"], axis=0),
        helper.make_node("Reshape", ["p", "to"], ["f"]),
        helper.make_node("ReduceMean", ["f", "last"], ["y"], keepdims=0),
    ]
    weights = {"rest": np.array([-1]), "last": np.array([2])}
    return model(
        nodes,
        {"x": (FLOAT, ["N", 3, "H", "W"])},
        {"y": (FLOAT, ["N", 4])},
        w=rng.standard_normal((4, 3, 3, 3)).astype(np.float32),
        **weights,
    )


def convert(verify: bool = True, **options: Any) -> Artifact:
    return api.convert(network(), "coreml", verify=verify, options=options)


def shapes(artifact: Artifact, count: int) -> set[tuple[int, ...]]:
    generator = Generator(api.load(network()), limits=limits_of(artifact))
    samples = [generator.sample(n, generator.sizes(n, 64)) for n in range(count)]
    return {sample["x"].shape for sample in samples}


def test_listed_shapes_are_all_run() -> None:
    artifact = convert(enumerated={"x": LISTED})
    assert shapes(artifact, 3) == {tuple(s) for s in LISTED}
    assert artifact.verification is not None
    assert artifact.verification.verdict is Verdict.VERIFIED
    assert artifact.verification.samples >= len(LISTED)
    with pytest.raises(EdgekitError, match="does not allow"):
        run_artifact(artifact, {"x": np.zeros((1, 3, 9, 9), np.float32)})


def test_a_range_is_run_at_its_lowest_and_at_higher_sizes() -> None:
    artifact = convert(ranges={"x": {"0": [1, 2], "2": [8, 40], "3": [10, 30]}})
    assert (1, 3, 8, 10) in shapes(artifact, 3)
    assert max(s[2] for s in shapes(artifact, 3)) == 40
    assert artifact.verification is not None
    assert artifact.verification.verdict is Verdict.VERIFIED


def test_sizes_that_the_source_refuses_are_named() -> None:
    artifact = convert(ranges={"x": {"2": [1, 40], "3": [8, 40]}})
    assert artifact.verification is not None
    assert artifact.verification.verdict is Verdict.VERIFIED
    assert any("the source model itself refuses" in note for note in artifact.verification.notes)
