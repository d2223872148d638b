"""Checks of whole models: verdicts, causes, coverage, memory, and what counts of them."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest

from edgekit.compat import NodeVerdict, Placement
from edgekit.compat.baseline import read_baseline, write_baseline
from edgekit.compat.candidate import Candidate
from edgekit.compat.check import Compatibility, FailOn
from edgekit.compat.policy import Outcome, Policy, rule
from edgekit.compat.waivers import Waiver, read_waivers
from edgekit.diagnostics import EdgekitError
from edgekit.importers import load
from tests.unit.compat.conftest import network

Judge = Callable[..., Compatibility]
DAY = datetime.date(2026, 11, 25)


def verdicts(found: Compatibility) -> dict[str, str]:
    return {node.name: str(node.verdict) for node in found.results[0].nodes}


def test_a_float_model_is_judged_as_it_would_be_quantised(judged: Judge) -> None:
    result = judged(network()).results[0]
    assert result.view.form == "int8"
    assert "assumed ranges" in result.view.notes[0]
    assert {op.emitted.outputs[0].dtype.name for op in result.judgement.ops} == {"int8"}


def test_nodes_are_judged_in_the_order_of_the_model(judged: Judge) -> None:
    assert verdicts(judged(network(stride=3))) == {
        "first": "native",
        "relu": "native",
        "second": "fallback",
        "last": "fallback",
    }


def test_an_op_that_the_cpu_has_no_kernel_for_runs_nowhere(judged: Judge) -> None:
    found = judged(network(last="HardSwish"))
    assert verdicts(found)["last"] == "unsupported"
    reasons = [r.message for n in found.results[0].nodes for r in n.reasons]
    assert any("on the CPU: tiny-cpu" in r for r in reasons)


def test_causes_are_ranked_by_the_time_that_they_cost(judged: Judge) -> None:
    result = judged(network(stride=3)).results[0]
    first, second = result.causes
    assert (first.op, first.reason.rule) == ("CONV_2D", "stride-range")
    assert first.rules[0].values == {"stride 3x3": 1}
    assert (second.op, second.reason.rule) == ("LOGISTIC", "unlisted")
    assert first.saves is not None
    assert second.saves is not None
    assert first.saves > second.saves


def test_saving_is_what_the_estimate_says_after_the_fix(judged: Judge) -> None:
    result = judged(network(stride=3)).results[0]
    conv = result.causes[0].ops[0]
    fast, slow = result.times.accelerated[conv], result.times.cpu[conv]
    saves = result.causes[0].saves
    assert saves is not None
    # The tensor that passes to the CPU is then the result of the convolution: 2 x 2 x 4 for 8 x 8 x 4 bytes.
    assert saves == pytest.approx(slow - fast + (8 * 8 * 4 - 2 * 2 * 4) / 1e6)


def test_coverage_weighs_by_arithmetic_and_not_by_nodes(judged: Judge) -> None:
    result = judged(network(stride=3)).results[0]
    first, second = 8 * 8 * 4 * 27, 2 * 2 * 4 * 36
    assert result.coverage.macs is not None
    assert result.coverage.macs[Placement.ACCELERATED] == pytest.approx(first / (first + second))
    assert result.coverage.ops[Placement.ACCELERATED] < 1


def test_what_crosses_is_counted_once(judged: Judge) -> None:
    result = judged(network(stride=3)).results[0]
    assert (result.crossings.tensors, result.crossings.bytes) == (1, 8 * 8 * 4)
    assert [p.placement for p in result.partitions] == [Placement.ACCELERATED, Placement.FALLBACK]


def test_memory_is_held_against_the_target(judged: Judge) -> None:
    small, large = judged(network()).results[0], judged(network(size=64)).results[0]
    assert small.sram.fits is True
    assert large.sram.fits is False
    assert large.sram.need == 64 * 64 * 4 + 62 * 62 * 4


def test_an_onnx_file_is_judged_by_its_own_ops(judged: Judge, tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    onnx.save(network(), str(path))
    found = judged(Candidate.of_model(load(path)), ("tiny-onnx", "tiny-npu"))
    assert [r.view.form for r in found.results] == ["file", "int8"]
    assert verdicts(found) == {
        "first": "native",
        "relu": "native",
        "second": "native",
        "last": "unsupported",
    }


def test_a_refused_node_does_not_hide_what_follows(judged: Judge) -> None:
    model = network()
    model.graph.node.insert(3, onnx.helper.make_node("Det", ["c"], ["d"], name="refused"))
    model.graph.node[4].input[0] = "d"
    model.graph.node[4].op_type = "NoSuchOp"
    model.graph.node[4].domain = "custom"
    model.opset_import.append(onnx.helper.make_opsetid("custom", 1))
    result = judged(model).results[0]
    assert {n.name: n.verdict for n in result.nodes}["last"] is NodeVerdict.UNSUPPORTED
    assert {n.name: n.verdict for n in result.nodes}["second"] is NodeVerdict.NATIVE


def test_a_tflite_file_is_judged_by_its_own_ops(
    judged: Judge, make_tflite: Callable[..., bytes], tmp_path: Path
) -> None:
    path = tmp_path / "relu.tflite"
    tensors = {name: ("FLOAT32", [1, 2], None) for name in "xy"}
    path.write_bytes(make_tflite(tensors, [("RELU", ["x"], ["y"])], ["x"], ["y"]))
    found = judged(Candidate.of_file(path), ("tiny-npu", "tiny-onnx"))
    assert [r.view.form for r in found.results] == ["file", "float"]
    assert "quantise the model" in found.results[0].view.notes[0]
    assert verdicts(found) == {"y": "unsupported"}
    assert [op.emitted.op for op in found.results[1].judgement.ops] == ["Relu"]


def test_a_file_of_another_dialect_is_skipped_with_the_reason(judged: Judge, tmp_path: Path) -> None:
    path = tmp_path / "net.mlpackage"
    path.mkdir()
    found = judged(Candidate.of_file(path), ("tiny-npu",))
    assert [s.target.id for s in found.skipped] == ["tiny-npu"]
    assert "holds coreml ops" in found.skipped[0].diagnostics[0].message
    assert not rule(found, Policy()).holds


def test_other_sizes_are_judged_without_changing_the_model(judged: Judge) -> None:
    candidate = Candidate.of_model(load(network()))
    larger = candidate.resized({"x": (1, 3, 16, 8)})
    macs = [judged(c).results[0].costs for c in (candidate, larger)]
    small, large = (sum(c.macs or 0 for c in costs) for costs in macs)
    assert small == 4 * (8 * 8 * 27 + 6 * 6 * 36)
    assert large == 4 * (16 * 8 * 27 + 14 * 6 * 36)


# What counts


def ruled(found: Compatibility, **policy: object) -> Outcome:
    return rule(found, Policy(today=DAY, **policy))  # type: ignore[arg-type]


def test_the_level_decides_what_fails(judged: Judge) -> None:
    found = judged(network(stride=3))
    assert ruled(found).holds
    assert not ruled(found, fail_on=FailOn.FALLBACK).holds
    assert not ruled(judged(network(last="HardSwish"))).holds


def test_an_undecided_node_is_no_pass_where_it_is_asked_for(judged: Judge) -> None:
    found = judged(network(last="Erf"), ("tiny-onnx",))
    assert ruled(found).holds
    assert not ruled(found, fail_on=FailOn.UNKNOWN).holds
    assert not ruled(found, fail_on=FailOn.FALLBACK).holds


def test_a_baseline_lets_only_regressions_fail(judged: Judge, tmp_path: Path) -> None:
    path = tmp_path / "compat.lock"
    path.write_text(write_baseline(judged(network(stride=3))))
    baseline = read_baseline(path)
    same = ruled(judged(network(stride=3)), fail_on=FailOn.FALLBACK, baseline=baseline)
    assert same.holds
    assert same.rulings[0].accepted == 2
    worse = ruled(judged(network(last="HardSwish")), fail_on=FailOn.FALLBACK, baseline=baseline)
    assert [n.name for n in worse.rulings[0].failing] == ["last"]


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"schema": "other"}', '{"schema": "edgekit.compat-lock/1", "targets": {"a": 1}}']
)
def test_a_damaged_baseline_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "compat.lock"
    path.write_text(text)
    with pytest.raises(EdgekitError, match="EK209"):
        read_baseline(path)


def test_a_waiver_accepts_until_its_day(judged: Judge) -> None:
    found = judged(network(stride=3))
    waivers = tuple(Waiver("known", DAY, node=name) for name in ("second", "last"))
    held = ruled(found, fail_on=FailOn.FALLBACK, waivers=waivers)
    assert held.holds
    assert [node.name for node, _ in held.rulings[0].waived] == ["second", "last"]
    past = tuple(Waiver("known", DAY - datetime.timedelta(1), node=w.node) for w in waivers)
    late = ruled(found, fail_on=FailOn.FALLBACK, waivers=past)
    assert not late.holds
    assert len(late.expired) == 2


def test_a_waiver_covers_what_its_patterns_say(judged: Judge) -> None:
    found = judged(network(stride=3))
    for waiver, covered in (
        (Waiver("r", DAY, target="tiny-*", rule="stride-range"), ["second"]),
        (Waiver("r", DAY, op="LOGISTIC"), ["last"]),
        (Waiver("r", DAY, target="other"), []),
    ):
        outcome = ruled(found, fail_on=FailOn.FALLBACK, waivers=(waiver,))
        assert [node.name for node, _ in outcome.rulings[0].waived] == covered
        assert bool(outcome.unused) is not bool(covered)


def test_every_mistake_of_a_waiver_is_told(tmp_path: Path) -> None:
    path = tmp_path / "waivers.toml"
    path.write_text('[[waiver]]\nnode = 1\nfoo = "x"\n[[waiver]]\nreason = "r"\nexpires = 2026-12-31\n')
    with pytest.raises(EdgekitError) as failure:
        read_waivers(path)
    messages = [d.message for d in failure.value.diagnostics]
    assert messages == [
        "waiver 1 has an unknown key `foo`",
        "waiver 1 `node` is not text",
        "waiver 1 gives no `reason`",
        "waiver 1 has no date `expires`, such as `expires = 2026-12-31`",
    ]


def test_targets_that_run_all_are_recommended(judged: Judge) -> None:
    assert judged(network(stride=3)).recommended() == ()
    full = judged(network(last="Relu"))
    assert [r.target.id for r in full.recommended()] == ["tiny-npu"]
    assert full.results[0].time is not None


def test_a_baseline_is_readable_in_a_review(judged: Judge) -> None:
    document = json.loads(write_baseline(judged(network(stride=3))))
    assert document["targets"]["tiny-npu"]["toolchain"] == "tiny compiler 1.0"
    assert document["targets"]["tiny-npu"]["nodes"]["second"] == "fallback"


def test_assumed_ranges_leave_weights_their_true_scales(judged: Judge) -> None:
    ops = [op.emitted for op in judged(network()).results[0].judgement.ops]
    weights = next(op for op in ops if op.op == "CONV_2D").inputs[1]
    assert weights is not None
    assert weights.quant is not None
    assert len(weights.quant.scale) == 4
    assert np.unique(weights.quant.scale).size == 4
