"""Quantised models on Core ML: bytes for weights, pairs of quantize and dequantize, judged in steps."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from edgekit import api
from edgekit.artifact import Artifact, Verdict

pytest.importorskip("coremltools", reason="the extra `coreml` is not installed")
from tests.unit.lowering.coreml.packages import changed, model, op_types, operations, verdict

FLOAT = TensorProto.FLOAT


def network(zero: int = 0) -> onnx.ModelProto:
    """x -> Q, DQ -> Conv (weights per channel) -> Relu -> Q, DQ -> MatMul (weights per tensor) -> Q, DQ."""
    rng = np.random.default_rng(0)
    nodes = [
        *pair("x", "xs", "z0", "xd"),
        helper.make_node("DequantizeLinear", ["w", "ws", "wz"], ["wd"], "w", axis=0),
        helper.make_node("Conv", ["xd", "wd"], ["c"], "conv", pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c"], ["r"], "relu"),
        *pair("r", "rs", "z1", "rd"),
        helper.make_node("GlobalAveragePool", ["rd"], ["p"], "pool"),
        helper.make_node("Flatten", ["p"], ["f"], "flat"),
        helper.make_node("DequantizeLinear", ["v", "vs", "vz"], ["vd"], "v"),
        helper.make_node("MatMul", ["f", "vd"], ["m"], "dense"),
        *pair("m", "ms", "z2", "y"),
    ]
    weights = {
        "w": rng.integers(-127, 128, (32, 3, 3, 3)).astype(np.int8),
        "ws": np.linspace(0.002, 0.004, 32).astype(np.float32),
        "wz": np.full(32, zero, np.int8),
        "v": rng.integers(-127, 128, (32, 8)).astype(np.int8),
        "vs": np.float32(0.01),
        "vz": np.int8(0),
        **{"xs": np.float32(1 / 64), "rs": np.float32(0.03), "ms": np.float32(0.02)},
        **{"z0": np.int8(3), "z1": np.int8(-128), "z2": np.int8(5)},
    }
    return model(
        nodes,
        {"x": (FLOAT, [1, 3, 8, 8])},
        {"y": (FLOAT, [1, 8])},
        **{k: np.asarray(v) for k, v in weights.items()},
    )


def pair(x: str, scale: str, zero: str, y: str) -> list[onnx.NodeProto]:
    return [
        helper.make_node("QuantizeLinear", [x, scale, zero], [f"{x}.q"], f"{x}.quantize"),
        helper.make_node("DequantizeLinear", [f"{x}.q", scale, zero], [y], f"{x}.dequantize"),
    ]


def convert(verify: bool = False, zero: int = 0, **options: Any) -> Artifact:
    return api.convert(network(zero), "coreml", verify=verify, options=options)


@pytest.mark.parametrize(
    ("target", "precision", "weight"),
    [
        ("iOS18", "fp32", "constexpr_blockwise_shift_scale"),
        ("iOS18", "fp16", "constexpr_blockwise_shift_scale"),
        ("iOS17", "fp32", "constexpr_affine_dequantize"),
    ],
)
def test_integers_are_kept_and_verified_in_steps(target: str, precision: str, weight: str) -> None:
    artifact = convert(verify=True, minimum_deployment_target=target, precision=precision)
    types = op_types(artifact)
    assert types.count("quantize") == types.count("dequantize") == 3
    assert types.count(weight) == 2
    assert artifact.verification is not None
    assert artifact.verification.verdict is Verdict.VERIFIED


def test_zero_points_of_weights() -> None:
    for target in ("iOS17", "iOS18"):
        artifact = convert(verify=True, zero=7, precision="fp32", minimum_deployment_target=target)
        assert artifact.verification is not None
        assert artifact.verification.verdict is Verdict.VERIFIED


def test_before_quantize_existed_the_arithmetic_is_written_out() -> None:
    artifact = convert(minimum_deployment_target="iOS16", precision="fp32")
    assert "quantize" not in op_types(artifact)
    assert "constexpr_affine_dequantize" in op_types(artifact)
    assert not artifact.recipe["integer"]


def test_another_zero_point_in_the_package_is_found() -> None:
    def change(message: Any) -> None:
        ops = operations(message)
        name = next(op for op in ops if op.type == "quantize").inputs["zero_point"].arguments[0].name
        held = next(op for op in ops if op.outputs and op.outputs[0].name == name)
        held.attributes["val"].immediateValue.tensor.bytes.values = b"\x50"

    artifact = convert(precision="fp32")
    assert verdict(network(), artifact).verdict is Verdict.VERIFIED
    assert verdict(network(), changed(artifact, change)).verdict is Verdict.MISMATCH


def test_a_float_model_is_quantised_for_core_ml() -> None:
    rng = np.random.default_rng(1)
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"], "conv"),
        helper.make_node("Relu", ["c"], ["y"], "relu"),
    ]
    source = model(
        nodes,
        {"x": (FLOAT, [1, 3, 8, 8])},
        {"y": (FLOAT, [1, 8, 6, 6])},
        w=rng.standard_normal((8, 3, 3, 3)).astype(np.float32),
    )
    samples = [{"x": rng.random((1, 3, 8, 8), np.float32)} for _ in range(4)]
    artifact = api.quantize(source, "coreml", calibrate=samples)
    assert {"quantize", "dequantize"} <= set(op_types(artifact))
    assert artifact.verification is not None
    assert artifact.verification.verdict is Verdict.VERIFIED
