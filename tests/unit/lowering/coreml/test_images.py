"""Inputs that are pictures: what the package says of them is verified, and a wrong one is found."""

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
IMAGENET = {"scale": [1 / 58.4, 1 / 57.1, 1 / 57.4], "bias": [-2.12, -2.04, -1.8]}


def network(channels: int = 3, size: Any = 8) -> onnx.ModelProto:
    rng = np.random.default_rng(0)
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"], "conv", pads=[1, 1, 1, 1]),
        helper.make_node("GlobalAveragePool", ["c"], ["y"], "pool"),
    ]
    weight = rng.standard_normal((4, channels, 3, 3)).astype(np.float32)
    return model(nodes, {"x": (FLOAT, [1, channels, size, size])}, {"y": (FLOAT, [1, 4, 1, 1])}, w=weight)


def convert(source: onnx.ModelProto, verify: bool = False, **options: Any) -> Artifact:
    return api.convert(source, "coreml", verify=verify, options=options)


@pytest.mark.parametrize("colour", ["RGB", "BGR"])
def test_a_picture_is_verified(colour: str) -> None:
    artifact = convert(network(), verify=True, image_input={"name": "x", "colour": colour, **IMAGENET})
    feature = spec(artifact).description.input[0].type.imageType
    assert (feature.height, feature.width) == (8, 8)
    assert feature.colorSpace == getattr(feature, colour)
    assert artifact.verification is not None
    assert artifact.verification.verdict is Verdict.VERIFIED


@pytest.mark.parametrize("colour", ["GRAYSCALE", "GRAYSCALE_FLOAT16"])
def test_a_grey_picture_is_verified(colour: str) -> None:
    image = {"name": "x", "colour": colour, "scale": 1 / 255, "bias": -0.5}
    artifact = convert(network(1), verify=True, image_input=image)
    assert artifact.input_bindings[0].dtype == (np.float16 if colour.endswith("16") else np.uint8)
    assert artifact.verification is not None
    assert artifact.verification.verdict is Verdict.VERIFIED


def test_the_source_gets_the_picture_in_its_own_order_and_scale() -> None:
    image = {"name": "x", "colour": "BGR", "scale": 0.5, "bias": [1, 2, 3]}
    source = model(
        [helper.make_node("Identity", ["x"], ["y"])],
        {"x": (FLOAT, [1, 3, 1, 1])},
        {"y": (FLOAT, [1, 3, 1, 1])},
    )
    artifact = convert(source, precision="fp32", image_input=image)
    blue_first = np.array([10, 20, 30], np.float32).reshape(1, 3, 1, 1) / 2
    tensor = blue_first + np.array([1, 2, 3], np.float32).reshape(1, 3, 1, 1)
    np.testing.assert_array_equal(run_artifact(artifact, {"x": tensor})["y"], tensor)
    with pytest.raises(EdgekitError, match="beyond what pixels stand for"):
        run_artifact(artifact, {"x": tensor - 10})


def test_red_and_blue_exchanged_in_the_package_are_found() -> None:
    source = network()
    artifact = convert(source, image_input={"name": "x", "colour": "RGB", **IMAGENET})
    assert verdict(source, artifact).verdict is Verdict.VERIFIED

    def exchange(message: Any) -> None:
        feature = message.description.input[0].type.imageType
        feature.colorSpace = feature.BGR

    assert verdict(source, changed(artifact, exchange)).verdict is Verdict.MISMATCH


def test_a_bias_that_the_package_lacks_is_found() -> None:
    source = network()
    artifact = convert(source, image_input={"name": "x", **IMAGENET})
    assert op_types(artifact)[:3] == ["cast", "mul", "add"]

    def forget(message: Any) -> None:
        add = next(op for op in operations(message) if op.type == "add")
        del add.inputs["y"]
        add.type = "identity"

    assert verdict(source, changed(artifact, forget)).verdict is Verdict.MISMATCH


def test_samples_that_are_no_pictures_are_rounded_and_that_is_said() -> None:
    rng = np.random.default_rng(0)
    given = [{"x": rng.uniform(0, 1, (1, 3, 8, 8)).astype(np.float32)} for _ in range(3)]
    image = {"name": "x", "scale": 1 / 255}
    artifact = api.convert(network(), "coreml", inputs=given, options={"image_input": image})
    assert artifact.verification is not None
    assert artifact.verification.verdict is Verdict.VERIFIED
    assert any("rounded to pixels" in note for note in artifact.verification.notes)


def test_what_is_no_image_is_refused() -> None:
    with pytest.raises(EdgekitError, match="no image"):
        convert(network(), image_input={"name": "x", "colour": "grayscale"})
    with pytest.raises(EdgekitError, match="no input `z`"):
        convert(network(), image_input={"name": "z"})


def test_a_picture_survives_being_saved(tmp_path: Any) -> None:
    source = network()
    artifact = convert(source, image_input={"name": "x", "colour": "BGR", **IMAGENET})
    opened = api.open(artifact.save(tmp_path / "net"))
    assert opened.input_bindings == artifact.input_bindings
    assert verdict(source, opened).verdict is Verdict.VERIFIED


def test_a_picture_of_several_sizes() -> None:
    sizes = [[1, 3, 8, 8], [1, 3, 12, 16]]
    artifact = convert(
        network(size=None), verify=True, image_input={"name": "x", **IMAGENET}, enumerated={"x": sizes}
    )
    assert artifact.verification is not None
    assert artifact.verification.verdict is Verdict.VERIFIED
