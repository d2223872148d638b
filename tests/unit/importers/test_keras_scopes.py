"""Layer paths from the names of nodes."""

from __future__ import annotations

import onnx
import onnx_ir as ir
import pytest
from onnx import TensorProto, helper

from edgekit.importers import keras_scopes, origins
from edgekit.importers.keras_scopes import Scopes, plain_name
from edgekit.ir import origin_of

EXACT = Scopes({"m_1/conv_1": "conv", "m_1/block_1": "block", "m_1/block_1/conv_2": "block/conv"})
NAMED = Scopes(layers=frozenset({"conv2d_9", "block", "relu"}))


@pytest.mark.parametrize(
    ("name", "scope"),
    [
        ("m_1/conv_1/Conv2D", "conv"),
        ("m_1/conv_1/Conv2D__12:0", "conv"),
        ("m_1/block_1/Relu", "block"),
        ("m_1/block_1/conv_2/Conv2D", "block/conv"),
        ("StatefulPartitionedCall_1/m_1/conv_1/PartitionedCall/x", "conv"),
        ("m_1_conv_1_while_body_12_m_1/conv_1/while/add", "conv"),
        ("m_1/conv_11/Conv2D", None),
        ("Transpose__3", None),
        ("", None),
    ],
)
def test_noted_scopes_decide(name: str, scope: str | None) -> None:
    assert EXACT.of(name) == scope


@pytest.mark.parametrize(
    ("name", "scope"),
    [
        ("StatefulPartitionedCall/sequential/conv2d_9/Conv2D", "conv2d_9"),
        ("sequential/block_2/relu_1/Relu", "block/relu"),
        ("sequential/other/Relu", None),
    ],
)
def test_known_layers_are_picked_from_the_name(name: str, scope: str | None) -> None:
    assert NAMED.of(name) == scope


@pytest.mark.parametrize(
    ("name", "scope"),
    [("a/b/Relu", "a/b"), ("PartitionedCall/a/Relu", "a"), ("Relu__12", "Relu"), ("Relu", "Relu")],
)
def test_without_layers_the_name_is_the_scope(name: str, scope: str) -> None:
    assert Scopes().of(name) == scope


def test_calls_that_were_inlined_are_no_part_of_a_name() -> None:
    assert plain_name("StatefulPartitionedCall/StatefulPartitionedCall_2/a/PartitionedCall/b") == "a/b"
    assert plain_name("MyPartitionedCall/b") == "MyPartitionedCall/b"


def test_nodes_without_a_telling_name_take_the_scope_of_their_neighbours() -> None:
    nodes = [
        helper.make_node("Transpose", ["x"], ["t"], name="Transpose__1"),
        helper.make_node("Relu", ["t"], ["r"], name="m_1/conv_1/Relu"),
        helper.make_node("Neg", ["r"], ["n"], name="Neg__2"),
        helper.make_node("Add", ["n", "m_1/block_1/bias"], ["y"], name="Add__3"),
    ]
    assert _scopes_of(nodes) == ["conv", "conv", "conv", "block"]


def test_subgraphs_take_the_scope_of_their_owner() -> None:
    branch = helper.make_graph(
        [helper.make_node("Neg", ["x"], ["b"], name="Neg__1")],
        "branch",
        [],
        [helper.make_tensor_value_info("b", TensorProto.FLOAT, [2])],
    )
    nodes = [
        helper.make_node("ReduceMax", ["x"], ["m"], name="a", keepdims=0),
        helper.make_node("Cast", ["m"], ["c"], name="b", to=TensorProto.BOOL),
        helper.make_node("If", ["c"], ["y"], name="m_1/block_1/cond", then_branch=branch, else_branch=branch),
    ]
    assert _scopes_of(nodes) == ["block", "block", "block", "block", "block"]


def test_a_model_without_any_layer_gives_its_own_name() -> None:
    assert _scopes_of([helper.make_node("Identity", ["x"], ["y"], name="out")]) == ["model"]


def _scopes_of(nodes: list[onnx.NodeProto]) -> list[str | None]:
    bias = helper.make_tensor("m_1/block_1/bias", TensorProto.FLOAT, [2], [0.0, 0.0])
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [2]) for n in ("x", "y")]
    graph = helper.make_graph(nodes, "model", ends[:1], ends[1:], [bias])
    model = ir.serde.deserialize_model(helper.make_model(graph))
    origins.assign(model)
    keras_scopes.assign(model, EXACT)
    return [origin_of(n).scope for n in ir.traversal.RecursiveGraphIterator(model.graph)]
