"""The structure of ONNX graphs: what is wrong is named, with the nodes."""

from __future__ import annotations

import time
from pathlib import Path

import onnx
import onnx.parser
import pytest
from onnx import TensorProto, helper

from edgekit.diagnostics import Diagnostic, EdgekitError
from edgekit.importers import load
from edgekit.ir import origin_of

HEADER = '<ir_version: 8, opset_import: ["" : 17]>\n'


def parse(text: str) -> onnx.ModelProto:
    return onnx.parser.parse_model(HEADER + text)


def refused(proto: onnx.ModelProto) -> tuple[Diagnostic, ...]:
    with pytest.raises(EdgekitError) as failure:
        load(proto)
    return failure.value.diagnostics


def only(proto: onnx.ModelProto) -> Diagnostic:
    (found,) = refused(proto)
    return found


def test_missing_value_names_every_node_that_uses_it() -> None:
    proto = parse("net (float[4] x) => (float[4] y) { a = Relu(gone) b = Add(x, gone) y = Add(a, b) }")
    found = only(proto)
    assert found.code == "EK104"
    assert found.message == "the value `gone` is used, but nothing produces it"
    assert found.where.nodes == ("Relu_0", "Add_1")


def test_all_problems_are_reported_in_one_run() -> None:
    proto = parse("net (float[4] x) => (float[4] y) { a = Relu(gone) a = Relu(x) y = Add(a) }")
    messages = [d.message for d in refused(proto)]
    assert len(messages) == 3
    assert "the value `a` is defined twice" in messages
    assert "`Add` of opset 17 takes 2 inputs, not 1" in messages


def test_list_of_problems_ends() -> None:
    nodes = [helper.make_node("Relu", [f"gone{i}"], [f"v{i}"]) for i in range(500)]
    y = helper.make_tensor_value_info("v0", TensorProto.FLOAT, [1])
    proto = helper.make_model(helper.make_graph(nodes, "g", [], [y]), ir_version=8)
    found = refused(proto)
    assert len(found) == 100
    assert found[0].notes == ("400 more findings are not listed",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("net (float[4] x) => (float[4] x) { }", "the graph has no nodes"),
        ("net (float[4] x) => () { y = Relu(x) }", "the graph has no outputs"),
        ("net (float[4] x) => (float[4] z) { y = Relu(x) }", "nothing produces the output `z`"),
        ("net (float[4] x, float[4] x) => (float[4] y) { y = Relu(x) }", "the input `x` is defined twice"),
        ("net (float[4] x) => (float[4] y) { y = Relu(x) y = Abs(x) }", "the value `y` is defined twice"),
        ("net (float[4] x) => (float[4] y) { y = Relu <alpha = 1> (x) }", "has no attribute `alpha`"),
        (
            "net (float[4] x) => (float[4] y) { y = Elu <alpha = 1> (x) }",
            "`alpha` of `Elu` of opset 17 has the",
        ),
        ("net (float[4] x) => (float[4] y) { y = Concat(x, x) }", "needs the attribute `axis`"),
        ("net (float[4] x) => (float[4] y) { y = Clip(, x) }", "leaves out an input that it needs"),
    ],
)
def test_invalid_graph(text: str, message: str) -> None:
    found = refused(parse(text))
    assert all(d.code == "EK104" for d in found)
    assert any(message in d.message for d in found)


def test_duplicate_initializer() -> None:
    proto = parse("net (float[4] x) => (float[4] y) <float[4] w = {1, 2, 3, 4}> { y = Add(x, w) }")
    proto.graph.initializer.append(proto.graph.initializer[0])
    assert only(proto).message == "the initializer `w` is defined twice"


def test_node_without_op_type() -> None:
    proto = parse("net (float[4] x) => (float[4] y) { y = Relu(x) }")
    proto.graph.node[0].op_type = ""
    assert only(proto).message == "a node has no op type"


def test_attribute_with_a_value_of_another_type() -> None:
    proto = parse("net (float[4] x) => (float[4] y) { y = Elu <alpha = 1.0> (x) }")
    proto.graph.node[0].attribute[0].i = 3
    assert "value of another type" in only(proto).message


def test_attribute_given_twice() -> None:
    proto = parse("net (float[4] x) => (float[4] y) { y = Elu <alpha = 1.0> (x) }")
    proto.graph.node[0].attribute.append(proto.graph.node[0].attribute[0])
    assert "given twice" in only(proto).message


def test_attribute_that_refers_to_a_parameter_outside_of_a_function() -> None:
    proto = parse("net (float[4] x) => (float[4] y) { y = Elu <alpha = 1.0> (x) }")
    attribute = proto.graph.node[0].attribute[0]
    attribute.ClearField("f")
    attribute.ref_attr_name = "slope"
    assert "refers to a parameter" in only(proto).message


def test_unsorted_graph_is_sorted_and_noted() -> None:
    proto = parse("net (float[4] x) => (float[4] y) { y = Relu(b) b = Abs(a) a = Neg(x) }")
    model = load(proto)
    assert [n.op_type for n in model.ir.graph] == ["Neg", "Abs", "Relu"]
    assert [origin_of(n).nodes for n in model.ir.graph] == [("Neg_2",), ("Abs_1",), ("Relu_0",)]
    assert [str(d.severity) for d in model.diagnostics] == ["note"]
    onnx.checker.check_model(model.to_proto())


def test_sorted_graph_keeps_its_order() -> None:
    proto = parse(
        "net (float[4] x) => (float[4] y) { a = Relu(x) b = Abs(x) c = Neg(x) d = Add(b, c) y = Add(a, d) }"
    )
    assert [n.op_type for n in load(proto).ir.graph] == ["Relu", "Abs", "Neg", "Add", "Add"]


def test_cycle_names_its_nodes_only() -> None:
    proto = parse("""net (float[4] x) => (float[4] y)
        { [n0] a = Add(x, c) [n1] b = Relu(a) [n2] c = Abs(b) [n3] y = Neg(c) }""")
    found = only(proto)
    assert found.code == "EK104"
    assert set(found.where.nodes) == {"n0", "n1", "n2"}
    assert found.notes[0].count("→") == 3


def test_node_that_uses_its_own_output() -> None:
    found = only(parse("net (float[4] x) => (float[4] y) { [me] y = Add(x, y) }"))
    assert found.where.nodes == ("me",)


def test_cycle_through_a_subgraph() -> None:
    proto = parse("""net (bool c, float[4] x) => (float[4] y) {
        [branch] a = If (c) <
            then_branch = t () => (float[4] p) { p = Relu(y) },
            else_branch = e () => (float[4] q) { q = Abs(x) }>
        [last] y = Neg(a)
    }""")
    assert set(only(proto).where.nodes) == {"branch", "last"}


def test_long_cycle_does_not_recurse() -> None:
    nodes = [helper.make_node("Relu", [f"v{(i + 1) % 5000}"], [f"v{i}"]) for i in range(5000)]
    y = helper.make_tensor_value_info("v0", TensorProto.FLOAT, [1])
    proto = helper.make_model(
        helper.make_graph(nodes, "g", [], [y]), opset_imports=[helper.make_opsetid("", 17)]
    )
    proto.ir_version = 8
    assert len(only(proto).where.nodes) == 5000


def test_subgraph_may_use_values_of_the_graph_around_it() -> None:
    proto = parse("""net (bool c, float[4] x) => (float[4] y) {
        a = Abs(x)
        y = If (c) <
            then_branch = t () => (float[4] p) { p = Relu(a) },
            else_branch = e () => (float[4] q) { q = Relu(x) }>
    }""")
    model = load(proto)
    assert model.diagnostics == ()
    ids = [origin_of(n).nodes[0] for n in model.ir.graph.all_nodes()]
    assert ids == ["Abs_0", "If_1", "If_1/then_branch/Relu_0", "If_1/else_branch/Relu_0"]


def test_subgraph_that_returns_a_value_of_the_graph_around_it() -> None:
    proto = parse("""net (bool c, float[4] x) => (float[4] y) {
        y = If (c) <
            then_branch = t () => (float[4] x) { p = Relu(x) },
            else_branch = e () => (float[4] q) { q = Relu(x) }>
    }""")
    found = only(proto)
    assert "value of the graph around it" in found.message
    assert found.help is not None
    assert "Identity" in found.help


def test_missing_value_in_a_subgraph() -> None:
    proto = parse("""net (bool c, float[4] x) => (float[4] y) {
        [choose] y = If (c) <
            then_branch = t () => (float[4] p) { p = Relu(gone) },
            else_branch = e () => (float[4] q) { q = Relu(x) }>
    }""")
    assert only(proto).where.nodes == ("choose/then_branch/Relu_0",)


def nested(depth: int) -> onnx.ModelProto:
    proto = onnx.ModelProto(ir_version=8)
    proto.opset_import.add().version = 17
    graph = proto.graph
    graph.output.add().name = "y"
    for _ in range(depth):
        node = graph.node.add(op_type="If", input=["c"], output=["y"])
        attribute = node.attribute.add(name="then_branch", type=5)
        graph = attribute.g
    return proto


@pytest.mark.parametrize("depth", [30, 1_000, 100_000])
def test_deep_nesting_in_memory_neither_recurses_nor_crashes(depth: int) -> None:
    assert refused(nested(depth))[0].code == "EK107"


def test_deep_nesting_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "deep.onnx"
    inner = b""
    for _ in range(400):  # node { attribute { g { ... } } }, written from the inside out
        for field in (0x32, 0x2A, 0x0A):
            inner = bytes([field]) + varint(len(inner)) + inner
    path.write_bytes(b"\x08\x08" + b"\x3a" + varint(len(inner)) + inner)
    with pytest.raises(EdgekitError) as failure:
        load(path)
    assert failure.value.diagnostics[0].code in ("EK103", "EK107")


def varint(value: int) -> bytes:
    out = b""
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def test_import_time_grows_linearly() -> None:
    def seconds(count: int) -> float:
        nodes = [helper.make_node("Relu", [f"v{i}"], [f"v{i + 1}"]) for i in range(count)]
        x = helper.make_tensor_value_info("v0", TensorProto.FLOAT, [1])
        y = helper.make_tensor_value_info(f"v{count}", TensorProto.FLOAT, [1])
        proto = helper.make_model(helper.make_graph(nodes, "g", [x], [y]), ir_version=8)
        proto.opset_import[0].version = 17
        start = time.process_time()
        load(proto)
        return time.process_time() - start

    seconds(100)
    assert seconds(8000) < 40 * max(seconds(800), 0.01)
