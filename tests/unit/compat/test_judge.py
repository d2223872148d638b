"""Verdicts of ops, and how they roll up to source nodes."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekit.compat import Evidence, NodeVerdict, Placement, Subject, judge, target
from edgekit.diagnostics import Diagnostic, Where
from edgekit.ir import Origin
from edgekit.lowering.ledger import Emitted, Subgraph
from edgekit.target import Basis, Outcome, Target
from tests.unit.compat.ops import conv, tflite, value

HEAD = """\
schema: edgekit.target/1
id: chip
title: A chip
kind: asic
vendor: Somebody
dialect: tflite
toolchain: {name: compiler, version: "1.0"}
basis: stated
source: manual
sources:
  manual: {title: Manual, version: "1", where: here}
  log: {title: Log, version: "2", where: there}
"""


def made(folder: Path, text: str) -> Target:
    path = folder / "chip.yaml"
    path.write_text(HEAD + text)
    return target(path)


def verdicts(on: Target, *facts: object) -> list[str]:
    ops = [f.emitted for f in facts]  # type: ignore[attr-defined]
    return [str(op.placement) for op in judge(Subject(ops, "tflite"), on).ops]


def test_every_failing_rule_is_named_with_its_value_and_source(tmp_path: Path) -> None:
    on = made(
        tmp_path,
        "fallback: cpu\nops:\n  CONV_2D:\n    dtypes: [int16]\n    rules:\n"
        "      - kernel-range: {high: 3}\n        source: log\n        basis: observed\n"
        "        note: seen twice\n"
        "      - stride-range: {high: 1}\n      - static-shape\n",
    )
    (op,) = judge(Subject([conv((5, 5), stride=(2, 2)).emitted], "tflite"), on).ops
    assert op.placement is Placement.FALLBACK
    rows = [(r.rule, r.message, r.got, r.source_key, r.basis) for r in op.verdict.reasons]
    assert rows == [
        ("dtype-in", "dtype of feature-maps must be one of int16", "int8", "manual", Basis.STATED),
        ("kernel-range", "kernel height and width must be in [1, 3]", "kernel 5x5", "log", Basis.OBSERVED),
        ("stride-range", "stride height and width must be in [1, 1]", "stride 2x2", "manual", Basis.STATED),
    ]
    assert op.verdict.reasons[1].note == "seen twice"
    source = op.verdict.reasons[1].source
    assert source is not None
    assert source.title == "Log"


@pytest.mark.parametrize(
    ("text", "placement"),
    [
        ("fallback: cpu\nops: {ABS: }\nunlisted: fallback\n", "fallback"),
        ("fallback: none\nops: {ABS: }\nunlisted: fallback\n", "unsupported"),
        ("fallback: cpu\nops: {ABS: }\n", "unknown"),
        ("fallback: cpu\nops: {CONV_2D: {accelerated: false}}\n", "fallback"),
        ("fallback: cpu\nops: {CONV_2D: {accelerated: false, fallback: none}}\n", "unsupported"),
        ("fallback: cpu\nops: {CONV_2D: }\n", "accelerated"),
        ("fallback: cpu\nops: {CONV_2D: {rules: [stride-range: {high: 0}]}}\n", "fallback"),
        ("fallback: none\nops: {CONV_2D: {rules: [stride-range: {high: 0}]}}\n", "unsupported"),
        ("fallback: cpu\nops: {CONV_2D: {rules: [attr-in: {name: x, values: [a]}]}}\n", "unknown"),
        (
            "fallback: cpu\nops:\n  CONV_2D:\n"
            "    rules: [attr-in: {name: x, values: [a]}, kernel-range: {high: 1}]\n",
            "fallback",
        ),
        (
            "fallback: cpu\nops:\n  CONV_2D:\n    rules:\n      - never:\n        outcome: unknown\n",
            "unknown",
        ),
    ],
)
def test_where_an_op_goes(tmp_path: Path, text: str, placement: str) -> None:
    assert verdicts(made(tmp_path, text), conv()) == [placement]


BIG = "kernel-range: {high: 3}"
SAME, VALID = "padding-is: {modes: [SAME]}", "padding-is: {modes: [VALID]}"
OPEN = "attr-in: {name: x, values: [a]}"


@pytest.mark.parametrize(
    ("rule", "placement"),
    [
        (f"- {BIG}\n        when: [{{{SAME}}}]", "fallback"),
        (f"- {BIG}\n        when: [{{{VALID}}}]", "accelerated"),
        (f"- {BIG}\n        when: [{{{OPEN}}}]", "unknown"),
        (f"- {BIG}\n        when: [{{{SAME}}}, {{{OPEN}}}]", "unknown"),
        (f"- {BIG}\n        when: [{{{VALID}}}, {{{OPEN}}}]", "accelerated"),
        (f"- {BIG}\n        unless: [{{{SAME}}}]", "accelerated"),
        (f"- {BIG}\n        unless: [{{{VALID}}}]", "fallback"),
        (f"- {BIG}\n        unless: [{{{OPEN}}}]", "unknown"),
        (f"- {BIG}\n        when: [{{{SAME}}}]\n        unless: [{{{SAME}}}]", "accelerated"),
        (f"- {BIG}\n        when: [{{{OPEN}}}]\n        unless: [{{{SAME}}}]", "accelerated"),
        (f"- any-of: [[{BIG}], [{SAME}]]", "accelerated"),
        (f"- any-of: [[{BIG}], [{SAME}, {VALID}]]", "fallback"),
        (f"- any-of: [[{BIG}], [{OPEN}]]", "unknown"),
        (f"- any-of: [[{SAME}], [{OPEN}]]", "accelerated"),
    ],
)
def test_conditions_have_three_values(tmp_path: Path, rule: str, placement: str) -> None:
    on = made(tmp_path, f"fallback: cpu\nops:\n  CONV_2D:\n    rules:\n      {rule}\n")
    assert verdicts(on, conv((5, 5))) == [placement]


def test_a_rule_that_holds_is_not_made_unknown_by_its_condition(tmp_path: Path) -> None:
    on = made(
        tmp_path, f"fallback: cpu\nops:\n  CONV_2D:\n    rules:\n      - {BIG}\n        when: [{{{OPEN}}}]\n"
    )
    assert verdicts(on, conv((3, 3))) == ["accelerated"]


def test_alternatives_name_what_each_misses(tmp_path: Path) -> None:
    on = made(
        tmp_path, f"fallback: cpu\nops:\n  CONV_2D:\n    rules:\n      - any-of: [[{BIG}], [{VALID}]]\n"
    )
    (reason,) = judge(Subject([conv((5, 5)).emitted], "tflite"), on).ops[0].verdict.reasons
    assert reason.got == "kernel 5x5 and padding SAME"
    assert reason.message == "kernel height and width must be in [1, 3], or padding must be VALID"


def test_a_node_is_as_good_as_the_worst_of_its_ops(tmp_path: Path) -> None:
    on = made(
        tmp_path,
        "fallback: none\nunlisted: fallback\nops:\n  ABS:\n  NEG: {accelerated: false, fallback: cpu}\n"
        "  EXP: {rules: [never: ]}\n  LOG:\n    rules:\n      - never:\n        outcome: unknown\n",
    )

    def op(name: str, *nodes: str) -> Emitted:
        return Emitted(name, (value((1,)),), (value((1,)),), {}, Origin(nodes))

    ops = [
        *(op("ABS", "native"), op("ABS", "twice"), op("ABS", "twice"), op("ABS", "slow"), op("NEG", "slow")),
        *(op("LOG", "open"), op("ABS", "open"), op("LOG", "both"), op("NEG", "both"), op("EXP", "lost")),
        *(op("NEG", "lost"), op("ABS", "fused-1", "fused-2"), op("ABS")),
    ]
    refused = Diagnostic("EK302", "`Foo` cannot be lowered", where=Where("m.py", 7, ("refused",)))
    sources = [Origin((name,)) for name in ("native", "gone", "refused")]
    judged = judge(Subject(ops, "tflite", (refused,), sources), on)
    assert {node.name: node.verdict for node in judged.nodes} == {
        "native": NodeVerdict.NATIVE,
        "twice": NodeVerdict.DECOMPOSED,
        "slow": NodeVerdict.FALLBACK,
        "open": NodeVerdict.UNKNOWN,
        "both": NodeVerdict.FALLBACK,
        "lost": NodeVerdict.UNSUPPORTED,
        "fused-1": NodeVerdict.NATIVE,
        "fused-2": NodeVerdict.NATIVE,
        "ABS:12": NodeVerdict.NATIVE,
        "refused": NodeVerdict.UNSUPPORTED,
        "gone": NodeVerdict.NATIVE,
    }
    assert judged.evidence is Evidence.LOWERED
    assert not judged.accelerated
    assert judged.count(Placement.FALLBACK) == 3
    lost = next(node for node in judged.nodes if node.name == "refused")
    assert (lost.reasons[0].rule, lost.reasons[0].outcome) == ("lowering", Outcome.FAIL)
    assert (lost.origin.file, lost.origin.line) == ("m.py", 7)


def test_ops_of_nested_graphs_are_judged(tmp_path: Path) -> None:
    inner = tflite("EXP", [value((1,))], [value((1,))]).emitted
    body = Subgraph("body", (), (), (inner,), {})
    outer = Emitted("IF", (value((1,), bool),), (value((1,)),), {"then_subgraph_index": body})
    on = made(tmp_path, "fallback: cpu\nops: {IF: }\n")
    assert [str(op.placement) for op in judge(Subject([outer], "tflite"), on).ops] == [
        "accelerated",
        "unknown",
    ]


def test_what_depends_on_the_cpu_stays_there(tmp_path: Path) -> None:
    on = made(
        tmp_path,
        "fallback: cpu\nunlisted: fallback\nops:\n  ABS:\n"
        "  LOG:\n    rules:\n      - never:\n        outcome: unknown\n"
        "graph:\n  - one-subgraph:\n    source: log\n",
    )
    x, a, b, c, d, e, f = (value((1,)) for _ in range(7))
    ops = [
        *(Emitted("ABS", (x,), (a,)), Emitted("EXP", (a,), (b,)), Emitted("ABS", (a,), (c,))),
        *(Emitted("ABS", (b,), (d,)), Emitted("LOG", (c,), (e,)), Emitted("ABS", (e,), (f,))),
    ]
    judged = judge(Subject(ops, "tflite"), on)
    assert [str(op.placement) for op in judged.ops] == [
        *("accelerated", "fallback", "accelerated", "fallback", "unknown", "unknown"),
    ]
    (reason,) = judged.ops[3].verdict.reasons
    assert (reason.rule, reason.got, reason.source_key) == ("one-subgraph", "behind `EXP`", "log")


def test_what_comes_before_the_accelerator_does_not_cut(tmp_path: Path) -> None:
    on = made(
        tmp_path,
        "fallback: cpu\nunlisted: fallback\nops:\n  ABS:\n"
        "  LOG:\n    rules:\n      - never:\n        outcome: unknown\n"
        "graph: [one-subgraph]\n",
    )
    v = [value((1,)) for _ in range(8)]
    names = ("QUANTIZE", "LOG", "ABS", "ABS", "DEQUANTIZE", "ABS")
    ops = [Emitted(name, (v[i],), (v[i + 1],)) for i, name in enumerate(names)]
    assert [str(op.placement) for op in judge(Subject(ops, "tflite"), on).ops] == [
        *("fallback", "unknown", "accelerated", "accelerated", "fallback", "fallback"),
    ]


def test_dialects_do_not_mix() -> None:
    with pytest.raises(ValueError, match="dialect"):
        judge(Subject([], "onnx"), target("edgetpu"))


def test_one_subject_serves_many_targets() -> None:
    subject = Subject([conv().emitted], "tflite")
    for name in ("ethos-u55-128", "ethos-u55-256", "edgetpu"):
        assert judge(subject, target(name)).ops[0].placement is Placement.ACCELERATED
    assert len(subject.facts[0].verdicts) == 2, "the two configurations share a table"
