"""The driver: order of attempts, refusals with their place, roll-back, and the check of results."""

from __future__ import annotations

from typing import Any

import onnx_ir as ir
import pytest
from onnx import TensorProto, helper

from edgekit.diagnostics import EdgekitError, Severity
from edgekit.ir import Model, Origin, set_origin
from edgekit.lowering.builder import LedgerBuilder
from edgekit.lowering.driver import lower
from edgekit.lowering.ledger import Lowered, Value
from edgekit.lowering.op import LowerOptions, Op
from edgekit.lowering.table import LoweringTable

TABLE = LoweringTable("toy")


class Toy(LedgerBuilder):
    table = TABLE

    def op(self, name: str, *inputs: Value, dtype: Any = None, shape: Any = None) -> Value:
        result = self.value(dtype or inputs[0].dtype, shape or inputs[0].shape)
        self.append(name, inputs, [result])
        return result


@TABLE.lowers("Relu", "Abs", since=13)
def simple(b: Toy, n: Op) -> Value:
    return b.op(n.type.upper(), n.operand(0))


@TABLE.lowers("Neg", since=13)
def half_done(b: Toy, n: Op) -> Value:
    b.op("GARBAGE", n.operand(0))
    n.refuse("minus is out of stock")


@TABLE.lowers("Exp", since=13)
def inexact(b: Toy, n: Op) -> Value:
    n.approximate("exp is a polynomial of degree 2, off by 0.1")
    return b.op("POLY", n.operand(0))


@TABLE.lowers("Log", since=13)
def buggy(b: Toy, n: Op) -> Value:
    return b.op("LOG", n.operand(0), shape=(7, 7))


@TABLE.lowers("Gemm", since=13)
def fragile(b: Toy, n: Op) -> Value:
    raise IndexError("tuple index out of range")


@TABLE.lowers("If", since=25)
def conditional(b: Toy, n: Op) -> Value:
    then, captured = n.subgraph("then_branch", [])
    result = b.value(n.out().dtype, n.out_shape())
    b.append("IF", [n.operand(0), *captured], [result], {"then": then})
    return result


def model(*nodes: Any, outputs: tuple[str, ...] = ("y",), inputs: tuple[Any, ...] = ()) -> Model:
    ports = inputs or (helper.make_tensor_value_info("x", TensorProto.FLOAT, [2, 3]),)
    ends = [helper.make_tensor_value_info(o, TensorProto.FLOAT, [2, 3]) for o in outputs]
    graph = helper.make_graph(list(nodes), "g", list(ports), ends)
    made = Model(ir.from_proto(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 25)])))
    for line, node in enumerate(made.ir.graph, start=10):
        set_origin(node, Origin((node.name,), f"net.{node.name}", "net.py", line))
    return made


def node(op: str, given: str, made: str, name: str = "", **attrs: Any) -> Any:
    return helper.make_node(op, [given], [made], name=name or made, **attrs)


def run(source: Model, expand: Any = lambda _: None, **options: Any) -> Lowered:
    return lower(source, Toy(), expand, LowerOptions(**options))


def test_ops_carry_the_origin_of_their_node() -> None:
    lowered = run(model(node("Relu", "x", "a"), node("Abs", "a", "y")))
    assert [op.op for op in lowered.main.ops] == ["RELU", "ABS"]
    assert [op.origin for op in lowered.main.ops] == [
        Origin(("a",), "net.a", "net.py", 10),
        Origin(("y",), "net.y", "net.py", 11),
    ]
    assert set(lowered.tensors) == {"x", "a", "y"}


def test_every_problem_is_reported_in_one_run_with_its_place() -> None:
    lowered = run(
        model(node("Neg", "x", "a"), node("Relu", "a", "b"), node("Sinh", "x", "c"), node("Abs", "x", "y"))
    )
    assert [(d.code, d.where.nodes, d.where.file, d.where.line) for d in lowered.diagnostics] == [
        ("EK302", ("a",), "net.py", 10),
        ("EK301", ("c",), "net.py", 12),
    ]
    assert "minus is out of stock" in lowered.diagnostics[0].message
    assert lowered.diagnostics[0].where.scope == "net.a"


def test_refused_lowering_leaves_no_ops_behind() -> None:
    lowered = run(model(node("Neg", "x", "a"), node("Abs", "x", "y")))
    assert [op.op for op in lowered.main.ops] == ["ABS"]


def test_one_cause_is_one_message_naming_all_nodes() -> None:
    lowered = run(model(node("Neg", "x", "a"), node("Neg", "x", "b"), node("Abs", "x", "y")))
    (diagnostic,) = lowered.diagnostics
    assert diagnostic.where.nodes == ("a", "b")
    assert diagnostic.notes == ("also at net.py:11 (`net.b`)",)


def test_unknown_domain_is_reported_not_crashed_on() -> None:
    lowered = run(model(node("Magic", "x", "a", domain="com.acme"), node("Abs", "x", "y")))
    assert lowered.diagnostics[0].code == "EK109"
    assert "com.acme" in lowered.diagnostics[0].message


def test_decomposition_is_tried_after_the_lowering() -> None:
    def expand(_: ir.Node) -> ir.Model:
        return model(node("Relu", "x", "t"), node("Abs", "t", "y")).ir

    lowered = run(model(node("Neg", "x", "y")), expand)
    assert [op.op for op in lowered.main.ops] == ["RELU", "ABS"]
    assert {op.origin.nodes for op in lowered.main.ops} == {("y",)}
    assert set(lowered.tensors) == {"x", "y"}, "names inside a decomposition are not the source model's"


def test_decomposition_that_does_not_help_is_explained() -> None:
    def expand(source: ir.Node) -> ir.Model | None:
        return model(node("Neg", "x", "y")).ir if source.op_type == "Sinh" else None

    (diagnostic,) = run(model(node("Sinh", "x", "y")), expand).diagnostics
    assert diagnostic.notes == ("its decomposition fails at `Neg`: minus is out of stock",)


def test_approximation_needs_consent_and_is_reported() -> None:
    source = model(node("Exp", "x", "y"))
    (refused,) = run(source).diagnostics
    assert (refused.code, refused.severity) == ("EK304", Severity.ERROR)
    lowered = run(source, allow_approximate=True)
    (warning,) = lowered.diagnostics
    assert (warning.code, warning.severity) == ("EK304", Severity.WARNING)
    assert "off by 0.1" in warning.message
    assert [op.op for op in lowered.main.ops] == ["POLY"]


def test_result_that_contradicts_shape_inference_is_a_bug_of_ours() -> None:
    with pytest.raises(EdgekitError, match="EK901") as caught:
        run(model(node("Log", "x", "y")))
    assert "(7, 7)" in str(caught.value)


def test_branch_captures_outer_values_and_embeds_constants() -> None:
    branch = helper.make_graph(
        [helper.make_node("Abs", ["x"], ["inner"])],
        "then",
        [],
        [helper.make_tensor_value_info("inner", TensorProto.FLOAT, [2, 3])],
    )
    ports = (
        helper.make_tensor_value_info("x", TensorProto.FLOAT, [2, 3]),
        helper.make_tensor_value_info("c", TensorProto.BOOL, []),
    )
    source = model(node("If", "c", "y", then_branch=branch, else_branch=branch), inputs=ports)
    lowered = run(source)
    (op,) = lowered.main.ops
    assert op.inputs == (lowered.main.inputs[1], lowered.main.inputs[0])
    assert [o.op for o in op.attrs["then"].ops] == ["ABS"]
    assert len(op.attrs["then"].inputs) == 1


def test_newest_lowering_not_above_the_version_is_taken() -> None:
    table = LoweringTable("t")
    table.lowers("Add", since=7)(lambda b, n: 7)
    table.lowers("Add", since=13)(lambda b, n: 13)
    found = [table.find("Add", v) for v in (6, 7, 12, 13, 20)]
    assert [f and f(None, None) for f in found] == [None, 7, 7, 13, 13]
    with pytest.raises(ValueError, match="registered twice"):
        table.lowers("Add", since=7)(lambda b, n: None)


def gemm(columns: int) -> Model:
    weights = helper.make_tensor("w", TensorProto.FLOAT, [columns, 3], [0.0] * columns * 3)
    source = model(helper.make_node("Gemm", ["x", "w"], ["y"], name="dense"))
    value = source.ir.graph[0].inputs[1]
    value.const_value = ir.from_proto(weights)
    value.type, value.shape = ir.TensorType(ir.DataType.FLOAT), ir.Shape([columns, 3])
    source.ir.graph.register_initializer(value)
    return source


def test_lowering_that_fails_on_an_invalid_node_blames_the_model() -> None:
    (diagnostic,) = run(gemm(5)).diagnostics  # x is [2, 3]: the inner sizes do not match
    assert (diagnostic.code, diagnostic.where.nodes) == ("EK114", ("dense",))


def test_lowering_that_fails_on_a_sound_node_blames_itself() -> None:
    with pytest.raises(EdgekitError, match="tuple index out of range") as caught:
        run(gemm(3))
    assert caught.value.diagnostics[0].code == "EK901"
    assert caught.value.diagnostics[0].where.nodes == ("dense",)


def test_branch_that_needs_a_refused_value_is_not_a_second_problem() -> None:
    branch = helper.make_graph(
        [], "then", [], [helper.make_tensor_value_info("refused", TensorProto.FLOAT, [2, 3])]
    )
    ports = (
        helper.make_tensor_value_info("x", TensorProto.FLOAT, [2, 3]),
        helper.make_tensor_value_info("c", TensorProto.BOOL, []),
    )
    nodes = (node("Neg", "x", "refused"), node("If", "c", "y", then_branch=branch, else_branch=branch))
    assert [d.data["op_type"] for d in run(model(*nodes, inputs=ports)).diagnostics] == ["Neg"]
