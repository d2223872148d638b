"""The ledger of an ONNX graph: quantised groups are taken together, floats are kept apart."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from edgekit import api
from edgekit.lowering.ledger import Lowered, Subgraph
from edgekit.lowering.onnx.ledger import onnx_ledger

F, I8 = TensorProto.FLOAT, TensorProto.INT8


def tensor(name: str, data: object) -> onnx.TensorProto:
    return numpy_helper.from_array(np.asarray(data), name)


def ledger(
    nodes: list[onnx.NodeProto],
    constants: dict[str, object],
    inputs: dict[str, list[int]],
    outputs: dict[str, list[int]],
) -> Lowered:
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info(name, F, shape) for name, shape in inputs.items()],
        [helper.make_tensor_value_info(name, F, shape) for name, shape in outputs.items()],
        [tensor(name, data) for name, data in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    return onnx_ledger(api.load(onnx.shape_inference.infer_shapes(model)))


SCALES = {"s": np.float32(0.5), "z": np.int8(3), "ws": np.array([0.5, 0.25], np.float32)}


def quantise(name: str) -> list[onnx.NodeProto]:
    return [
        helper.make_node("QuantizeLinear", [name, "s", "z"], [f"{name}_q"]),
        helper.make_node("DequantizeLinear", [f"{name}_q", "s", "z"], [f"{name}_dq"]),
    ]


def test_a_quantised_group_is_one_op_on_integers() -> None:
    nodes = [
        *quantise("x"),
        helper.make_node("DequantizeLinear", ["w", "ws"], ["w_dq"], axis=0),
        helper.make_node("Conv", ["x_dq", "w_dq"], ["y"]),
        *quantise("y"),
    ]
    constants = {**SCALES, "w": np.ones((2, 3, 1, 1), np.int8)}
    made = ledger(nodes, constants, {"x": [1, 3, 4, 4]}, {"y_dq": [1, 2, 4, 4]})
    assert [op.op for op in made.main.ops] == ["QuantizeLinear", "Conv", "DequantizeLinear"]
    conv = made.main.ops[1]
    x, weights = conv.inputs
    assert x is not None
    assert weights is not None
    assert (str(x.dtype), x.shape, x.quant is not None) == ("int8", (1, 3, 4, 4), True)
    assert weights.quant is not None
    assert (str(weights.dtype), weights.quant.scale, weights.quant.axis) == ("int8", (0.5, 0.25), 0)
    assert weights.data is not None
    (y,) = conv.outputs
    assert y.quant is not None
    assert (str(y.dtype), y.quant.scale, y.quant.zero_point) == ("int8", (0.5,), (3,))
    assert str(made.main.outputs[0].dtype) == "float32"


def test_an_op_with_a_float_result_reads_floats() -> None:
    nodes = [*quantise("x"), helper.make_node("Erf", ["x_dq"], ["y"])]
    made = ledger(nodes, SCALES, {"x": [1, 3]}, {"y": [1, 3]})
    assert [op.op for op in made.main.ops] == ["QuantizeLinear", "DequantizeLinear", "Erf"]
    (x,) = made.main.ops[2].inputs
    assert x is not None
    assert str(x.dtype) == "float32"


def test_an_activation_is_part_of_the_group() -> None:
    nodes = [
        *quantise("x"),
        helper.make_node("DequantizeLinear", ["w", "ws"], ["w_dq"], axis=0),
        helper.make_node("Conv", ["x_dq", "w_dq"], ["c"]),
        helper.make_node("Relu", ["c"], ["r"]),
        helper.make_node("Flatten", ["r"], ["y"]),
        *quantise("y"),
    ]
    constants = {**SCALES, "w": np.ones((2, 3, 1, 1), np.int8)}
    made = ledger(nodes, constants, {"x": [1, 3, 4, 4]}, {"y_dq": [1, 32]})
    assert [op.op for op in made.main.ops] == [
        "QuantizeLinear",
        "Conv",
        "Relu",
        "Flatten",
        "DequantizeLinear",
    ]
    assert {str(v.dtype) for op in made.main.ops[1:4] for v in op.outputs} == {"int8"}


def test_a_result_that_floats_read_too_is_quantised_behind_the_op() -> None:
    nodes = [
        *quantise("x"),
        helper.make_node("Relu", ["x_dq"], ["r"]),
        *quantise("r"),
        helper.make_node("Erf", ["r"], ["e"]),
        helper.make_node("Add", ["r_dq", "e"], ["y"]),
    ]
    made = ledger(nodes, SCALES, {"x": [1, 3]}, {"y": [1, 3]})
    assert [op.op for op in made.main.ops] == [
        *("QuantizeLinear", "DequantizeLinear", "Relu", "QuantizeLinear", "Erf", "DequantizeLinear", "Add"),
    ]


def test_float_graphs_stay_as_they_are() -> None:
    nodes = [helper.make_node("MatMul", ["x", "w"], ["m"]), helper.make_node("Softmax", ["m"], ["y"], axis=1)]
    made = ledger(nodes, {"w": np.ones((3, 2), np.float32)}, {"x": [1, 3]}, {"y": [1, 2]})
    assert [(op.op, dict(op.attrs)) for op in made.main.ops] == [("MatMul", {}), ("Softmax", {"axis": 1})]
    assert made.main.ops[0].inputs[1] is not None
    assert made.main.ops[0].inputs[1].data is not None
    assert all(op.origin.nodes for op in made.main.ops)
    assert made.backend == "onnx"


def test_nested_graphs_see_the_values_around_them() -> None:
    def branch(name: str, op: str) -> onnx.GraphProto:
        out = helper.make_tensor_value_info(name, F, [1, 3])
        return helper.make_graph([helper.make_node(op, ["x"], [name])], name, [], [out])

    node = helper.make_node(
        "If", ["c"], ["y"], then_branch=branch("t", "Abs"), else_branch=branch("e", "Neg")
    )
    made = ledger([node], {"c": np.array(True)}, {"x": [1, 3]}, {"y": [1, 3]})
    (op,) = made.main.ops
    inner = op.attrs["then_branch"]
    assert isinstance(inner, Subgraph)
    assert inner.ops[0].inputs[0] is made.main.inputs[0]


def test_an_activation_is_computed_with_the_op_before_it() -> None:
    """Conv, Relu, QuantizeLinear: both ops are integer ops, and no weight is dequantised by an op."""
    from edgekit.compat.forms import assumed_quantised
    from edgekit.lowering.onnx.ledger import with_integer_ports
    from edgekit.passes.pipeline import prepare
    from tests.unit.compat.conftest import network

    model = assumed_quantised(prepare(api.load(network(last="Relu"))).model, "int8")
    main = onnx_ledger(model).main
    assert [op.op for op in main.ops] == [
        *("QuantizeLinear", "Conv", "Relu", "Conv", "Relu", "DequantizeLinear"),
    ]
    assert {v.dtype.name for op in main.ops[1:5] for v in op.outputs} == {"int8"}
    inner = with_integer_ports(main)
    assert [op.op for op in inner.ops] == ["Conv", "Relu", "Conv", "Relu"]
    assert inner.inputs == (inner.ops[0].inputs[0],)
    assert inner.outputs == inner.ops[-1].outputs
