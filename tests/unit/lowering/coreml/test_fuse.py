"""Pairs of ops that MIL has as one: fused where that is exact, left alone where it is not."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from edgekit import api
from edgekit.artifact import Verdict

pytest.importorskip("coremltools", reason="the extra `coreml` is not installed")
from tests.unit.lowering.coreml.packages import model, op_types

FLOAT = TensorProto.FLOAT


def types(nodes: list[onnx.NodeProto], x: list[int], y: list[int], **weights: Any) -> list[str]:
    arrays = {k: np.asarray(v) for k, v in weights.items()}
    source = model(nodes, {"x": (FLOAT, x)}, {"y": (FLOAT, y)}, **arrays)
    artifact = api.convert(source, "coreml", options={"precision": "fp32"})
    assert artifact.verification is not None
    assert artifact.verification.verdict is Verdict.VERIFIED
    assert all(origin.nodes for origin in artifact.origins.values())
    return op_types(artifact)


def dense(bias: Any, *, turned: bool = False) -> list[str]:
    weight = np.random.default_rng(0).standard_normal((4, 6)).astype(np.float32)
    operands = ["b", "m"] if turned else ["m", "b"]
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["m"], "a"),
        helper.make_node("Add", operands, ["y"], "b"),
    ]
    return types(nodes, [2, 3, 4], [2, 3, 6], w=weight, b=bias)


def test_a_bias_joins_its_product() -> None:
    bias = np.arange(6, dtype=np.float32)
    assert dense(bias) == dense(bias.reshape(1, 1, 6), turned=True) == ["linear"]


def test_an_addend_of_another_shape_stays() -> None:
    assert dense(np.arange(3, dtype=np.float32).reshape(3, 1)) == ["linear", "add"]
    assert dense(np.ones((2, 3, 6), np.float32)) == ["linear", "add"]
    assert dense(np.ones(1, np.float32)) == ["linear", "add"]


def test_a_product_that_something_else_reads_stays() -> None:
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["m"], "a"),
        helper.make_node("Add", ["m", "b"], ["s"], "b"),
        helper.make_node("Mul", ["m", "s"], ["y"], "c"),
    ]
    weights = {"w": np.eye(4, dtype=np.float32), "b": np.arange(4, dtype=np.float32)}
    assert types(nodes, [2, 4], [2, 4], **weights) == ["linear", "add", "mul"]


@pytest.mark.parametrize(("perm", "fused"), [([0, 2, 1], True), ([1, 0, 2], False)])
def test_a_transposition_is_read_by_the_product(perm: list[int], fused: bool) -> None:
    nodes = [
        helper.make_node("Transpose", ["x"], ["t"], "turn", perm=perm),
        helper.make_node("Relu", ["x"], ["r"], "relu"),
        helper.make_node("MatMul", ["t", "r"], ["y"], "product"),
    ]
    assert ("transpose" not in types(nodes, [3, 3, 3], [3, 3, 3])) == fused


def test_an_element_is_picked_without_its_axis() -> None:
    nodes = [
        helper.make_node("Slice", ["x", "s", "e", "a"], ["p"], "slice"),
        helper.make_node("Squeeze", ["p", "a"], ["y"], "drop"),
    ]
    bounds = {"s": np.array([-2]), "e": np.array([-1]), "a": np.array([1])}
    assert types(nodes, [2, 5, 3], [2, 3], **bounds) == ["slice_by_index"]
