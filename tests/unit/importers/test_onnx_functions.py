"""Local functions are inlined under the origin of the call; what they compute does not change."""

from __future__ import annotations

import time

import numpy as np
import onnx
import onnx.parser
import onnxruntime
import pytest
from onnx.reference import ReferenceEvaluator

from edgekit.diagnostics import Diagnostic, EdgekitError
from edgekit.importers import functions, load
from edgekit.ir import origin_of

HEADER = '<ir_version: 9, opset_import: ["" : 17, "local" : 1]>\n'
F = '<domain: "local", opset_import: ["" : 17, "local" : 1]>\n'


def parse(text: str) -> onnx.ModelProto:
    return onnx.parser.parse_model(HEADER + text)


def refused(proto: onnx.ModelProto) -> Diagnostic:
    with pytest.raises(EdgekitError) as failure:
        load(proto)
    return failure.value.diagnostics[0]


def run(proto: onnx.ModelProto, feeds: dict[str, np.ndarray], reference: bool) -> list[np.ndarray]:
    if reference:
        return list(ReferenceEvaluator(proto).run(None, feeds))
    session = onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    return list(session.run(None, feeds))


def assert_same(proto: onnx.ModelProto, *, reference: bool = False) -> onnx.ModelProto:
    """Imports and compares with the model as it was; returns the imported model.

    ONNX Runtime refuses some functions that are valid; ONNX's reference then says what they compute.
    """
    got = load(proto).to_proto()
    onnx.checker.check_model(got)
    assert not got.functions
    assert [i.name for i in got.graph.input] == [i.name for i in proto.graph.input]
    assert [o.name for o in got.graph.output] == [o.name for o in proto.graph.output]
    feeds = {i.name: np.array([-2, -1, 3, 4], np.float32) for i in proto.graph.input}
    feeds = {k: np.array(True) if k == "c" else v for k, v in feeds.items()}
    for a, b in zip(run(got, feeds, reference), run(proto, feeds, reference), strict=True):
        np.testing.assert_array_equal(a, b)
    return got


def test_origin_is_the_call() -> None:
    proto = parse(f"""
        net (float[4] x) => (float[4] y) {{ [first] a = local.twice(x) [second] y = local.twice(a) }}
        {F} twice (v) => (r) {{ [inside] w = Add(v, v) r = Neg(w) }}
    """)
    assert_same(proto)
    model = load(proto)
    assert [(n.op_type, origin_of(n).nodes) for n in model.ir.graph] == [
        ("Add", ("first",)),
        ("Neg", ("first",)),
        ("Add", ("second",)),
        ("Neg", ("second",)),
    ]
    assert not model.ir.functions
    assert model.diagnostics == ()


def test_line_of_the_body_and_node_of_the_call() -> None:
    proto = parse(f"""
        net (float[4] x) => (float[4] y) {{ [call] y = local.neg(x) }}
        {F} neg (v) => (r) {{ r = Neg(v) }}
    """)
    entry = proto.functions[0].node[0].metadata_props.add()
    entry.key, entry.value = "pkg.torch.onnx.stack_trace", 'File "/home/u/net.py", line 7, in forward\n    x'
    (node,) = load(proto).ir.graph
    assert origin_of(node).nodes == ("call",)
    assert (origin_of(node).file, origin_of(node).line) == ("/home/u/net.py", 7)


@pytest.mark.parametrize(
    "body",
    [
        "f (v) => (v) { w = Neg(v) }",  # returns its input
        "f (v) => (r) { r = Neg(v) }",
    ],
)
def test_what_a_function_returns(body: str) -> None:
    assert_same(parse(f"net (float[4] x) => (float[4] y) {{ y = local.f(x) }}\n{F} {body}"), reference=True)


def test_function_that_returns_one_value_twice() -> None:
    assert_same(
        parse(f"""
        net (float[4] x) => (float[4] y, float[4] z) {{ y, z = local.f(x) }}
        {F} f (v) => (r, r) {{ r = Neg(v) }}"""),
        reference=True,
    )


def test_function_with_fewer_outputs_taken() -> None:
    assert_same(
        parse(f"""
        net (float[4] x) => (float[4] y) {{ y = local.f(x) }}
        {F} f (v) => (r, s) {{ r = Neg(v) s = Abs(v) }}"""),
        reference=True,
    )


def test_functions_that_call_functions() -> None:
    assert_same(
        parse(f"""
        net (float[4] x) => (float[4] y) {{ y = local.f(x) }}
        {F} f (v) => (r) {{ a = local.g(v) r = local.g(a) }}
        {F} g (v) => (r) {{ r = Add(v, v) }}""")
    )


def test_attributes_of_a_function() -> None:
    got = assert_same(
        parse(f"""
        net (float[4] x) => (float[4] y) {{ y = local.f <slope = 0.5> (x) }}
        {F} f <slope> (v) => (r) {{ r = LeakyRelu <alpha : float = @slope> (v) }}""")
    )
    assert got.graph.node[0].attribute[0].f == 0.5


def test_names_of_the_body_that_the_graph_uses_too() -> None:
    assert_same(
        parse(f"""
        net (float[4] x) => (float[4] y) {{ w = Abs(x) v = local.f(w) u = local.f(v) y = Add(u, w) }}
        {F} f (v) => (r) {{ w = Neg(v) r = Add(w, v) }}""")
    )


def test_call_inside_of_a_subgraph() -> None:
    assert_same(
        parse(f"""
        net (bool c, float[4] x) => (float[4] y) {{
            w = Abs(x)
            y = If (c) <then_branch = t () => (float[4] p) {{ p = local.f(w) }},
                        else_branch = e () => (float[4] q) {{ w2 = local.f(x) q = Neg(w2) }}>
        }}
        {F} f (v) => (r) {{ w = Neg(v) r = Add(w, v) }}""")
    )


def test_function_that_nobody_calls_goes() -> None:
    model = load(
        parse(f"net (float[4] x) => (float[4] y) {{ y = Neg(x) }}\n{F} f (v) => (r) {{ r = Neg(v) }}")
    )
    assert not model.ir.functions


def test_unsorted_body_is_sorted() -> None:
    assert_same(
        parse(f"""
        net (float[4] x) => (float[4] y) {{ y = local.f(x) }}
        {F} f (v) => (r) {{ w = Neg(v) r = Abs(w) }}""")
    )
    proto = parse(f"""
        net (float[4] x) => (float[4] y) {{ y = local.f(x) }}
        {F} f (v) => (r) {{ r = Abs(w) w = Neg(v) }}""")
    assert [n.op_type for n in load(proto).ir.graph] == ["Neg", "Abs"]


@pytest.mark.parametrize(
    ("text", "code", "message"),
    [
        (f"{F} f (v) => (r) {{ r = local.f(v) }}", "EK104", "a function calls itself"),
        (
            f"{F} f (v) => (r) {{ r = local.g(v) }}\n{F} g (v) => (r) {{ r = local.f(v) }}",
            "EK104",
            "calls itself",
        ),
        (f"{F} f (v, u) => (r) {{ r = Add(v, gone) }}", "EK104", "the value `gone` is used"),
        (f"{F} f (v) => (s) {{ r = Neg(v) }}", "EK104", "nothing produces the output `s`"),
        (f"{F} f () => (r) {{ r = Constant <value_float = 1.0> () }}", "EK104", "more inputs or outputs"),
        (f"{F} f (v) => (r) {{ r = Abs(w) w = Neg(r) }}", "EK104", "the graph has a cycle"),
        (F.replace("17", "13") + "f (v) => (r) { r = Neg(v) }", "EK108", "imports version 13"),
        (
            f"{F} f (v) => (r) {{ r = Elu <alpha : float = @no> (v) }}",
            "EK104",
            "parameter that no function has",
        ),
    ],
)
def test_function_that_is_not_valid(text: str, code: str, message: str) -> None:
    found = refused(parse(f"net (float[4] x) => (float[4] y) {{ y = local.f(x) }}\n{text}"))
    assert found.code == code
    assert message in found.message


def doubling(levels: int) -> onnx.ModelProto:
    """One node, called twice by a function that is called twice, and so on."""
    bodies = [f"f{i} (v) => (r) {{ a = local.f{i + 1}(v) r = local.f{i + 1}(a) }}" for i in range(levels)]
    texts = "\n".join(F + body for body in [*bodies, f"f{levels} (v) => (r) {{ r = Neg(v) }}"])
    return parse(f"net (float[4] x) => (float[4] y) {{ y = local.f0(x) }}\n{texts}")


def test_calls_that_multiply_without_bound() -> None:
    found = refused(doubling(60))
    assert found.code == "EK107"
    assert f"{functions.MAX_NODES} are accepted" in found.message


def test_many_calls_take_linear_time() -> None:
    start = time.process_time()
    model = load(doubling(12))
    assert time.process_time() - start < 5
    assert len(model.ir.graph) == 4096
    names = [n.name for n in model.ir.graph]
    assert len(set(names)) == len(names)


def test_long_chain_of_calls_does_not_recurse() -> None:
    chain = "\n".join(f"{F} f{i} (v) => (r) {{ r = local.f{i + 1}(v) }}" for i in range(2000))
    start = "net (float[4] x) => (float[4] y) { y = local.f0(x) }"
    (node,) = load(parse(f"{start}\n{chain}\n{F} f2000 (v) => (r) {{ r = Neg(v) }}")).ir.graph
    assert node.op_type == "Neg"


def test_function_defined_twice() -> None:
    proto = parse(f"net (float[4] x) => (float[4] y) {{ y = local.f(x) }}\n{F} f (v) => (r) {{ r = Neg(v) }}")
    proto.functions.append(proto.functions[0])
    assert refused(proto).code == "EK104"


def test_parameter_of_the_wrong_type() -> None:
    proto = parse(f"""
        net (float[4] x) => (float[4] y) {{ y = local.f <slope = "steep"> (x) }}
        {F} f <slope> (v) => (r) {{ r = LeakyRelu <alpha : float = @slope> (v) }}""")
    assert "the parameter `slope` of the function `f` has the wrong type" in refused(proto).message
