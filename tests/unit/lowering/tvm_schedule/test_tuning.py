"""Tuning writes a log that later schedules follow; a damaged log is a warning."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("tvm", reason="the backend needs apache-tvm")

import tvm
from tvm import relax

from edgekit.diagnostics import EdgekitError
from edgekit.lowering.tvm.schedule import decisions_of, schedule, tune
from edgekit.lowering.tvm.schedule.graph import arranged_programs
from edgekit.lowering.tvm.schedule.tuning import jobs, measure
from edgekit.lowering.tvm.schedule.tuning.log import Decision, Trial, append, best, read_log
from edgekit.lowering.tvm.schedule.tuning.message import Function
from edgekit.lowering.tvm.schedule.tuning.search import Progress
from edgekit.lowering.tvm.schedule.workload import workload

Fixture = Callable[..., Any]


@pytest.fixture(autouse=True)
def few_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each measurement compiles: three are enough to see all that can happen."""
    monkeypatch.setattr(jobs, "TILES", 3)


@pytest.fixture
def mod(fused: Fixture, weight: Fixture) -> Any:
    return fused(
        lambda b, x: relax.op.nn.relu(b.emit(relax.op.matmul(x, weight(1, (24, 40))))), [((9, 24), "float32")]
    )


def link(built: Any) -> bytes:
    from edgekit.lowering.tvm.link import link
    from edgekit.lowering.tvm.options import TvmOptions

    return link(built, TvmOptions())


def test_tune_then_schedule(mod: Any, target: Any, tmp_path: Path) -> None:
    log = tmp_path / "tuning.jsonl"
    seen: list[Progress] = []
    assert tune(mod, target, 5, log, link, seen.append) == ()
    trials, warnings = read_log(log)
    assert warnings == ()
    assert [p.done for p in seen] == list(range(len(trials) + 1))
    assert all(p.planned == len(trials) for p in seen)
    assert all(t.microseconds is not None and t.rule_microseconds is not None for t in trials)
    before = log.read_text()
    tune(mod, target, 5, log, link, seen.append)
    assert log.read_text() == before  # all is measured already
    assert len(seen) == len(trials) + 1


def test_a_tuning_that_was_stopped_goes_on(mod: Any, target: Any, tmp_path: Path) -> None:
    log, whole = tmp_path / "half.jsonl", tmp_path / "whole.jsonl"
    tune(mod, target, 5, whole, link)
    lines = whole.read_text().splitlines(keepends=True)
    log.write_text("".join(lines[:2]) + lines[2][:20])  # as a full disk leaves it
    seen: list[Progress] = []
    (warning,) = tune(mod, target, 5, log, link, seen.append)
    assert warning.code == "EK206"
    assert seen[0].planned == len(lines) - 2
    assert len(read_log(log)[0]) == len(lines)


def test_time_is_kept_and_no_process_is_left(
    mod: Any, target: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    children: list[Any] = []
    monkeypatch.setattr(measure._Child, "__init__", _watched(measure._Child.__init__, children))
    start = time.monotonic()
    tune(mod, target, 0.02, tmp_path / "log", link)  # the child takes longer to start
    assert time.monotonic() - start < 60
    assert [c._process.poll() is not None for c in children] == [True]
    assert read_log(tmp_path / "log") == ([], ())


def test_an_interrupt_leaves_whole_lines_and_no_process(
    mod: Any, target: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    children: list[Any] = []
    monkeypatch.setattr(measure._Child, "__init__", _watched(measure._Child.__init__, children))

    def interrupt(progress: Progress) -> None:
        if progress.done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tune(mod, target, 5, tmp_path / "log", link, interrupt)
    assert [c._process.poll() is not None for c in children] == [True]
    trials, warnings = read_log(tmp_path / "log")
    assert (len(trials), warnings) == (2, ())


def _watched(init: Callable[..., None], children: list[Any]) -> Callable[[Any], None]:
    def watched(self: Any) -> None:
        init(self)
        children.append(self)

    return watched


def test_a_function_that_ends_the_process_is_left_out(target: Any, tmp_path: Path) -> None:
    broken = Function(b"no library", ())
    with measure.Meter(time.monotonic() + 300) as meter:
        assert meter.compare(broken, broken) == measure.NONE
        assert meter.compare(broken, broken) == measure.NONE  # by a new process


def test_the_log_must_be_writable(mod: Any, target: Any, tmp_path: Path) -> None:
    with pytest.raises(EdgekitError, match="cannot be written"):
        tune(mod, target, 5, tmp_path, link)


def _unrolled_rows(mod: Any) -> int:
    text = mod.script()
    return int(text.split("for row in T.unroll(T.int64(")[1].split(")")[0]) if "for row in" in text else 1


@pytest.mark.parametrize("rows", [1, 3])
def test_schedule_follows_the_log(mod: Any, target: Any, rows: int, tmp_path: Path) -> None:
    ((program, constants, _),) = arranged_programs(mod).values()
    key = workload(program, constants)
    trial = Trial(key, str(target), tvm.__version__, Decision(rows, 2, True), 1.0, 2.0)
    others = [
        replace(trial, target="another target", decision=Decision(2, 2, True), microseconds=0.5),
        replace(trial, tvm="0.1", decision=Decision(2, 2, True), microseconds=0.5),
        replace(trial, workload="of another model"),
        replace(trial, decision=Decision(2, 2, True), microseconds=0.5, rule_microseconds=0.5),
    ]
    for one in (trial, *others):
        append(tmp_path / "log", one)
    decisions, (note,) = decisions_of(tmp_path / "log", mod, target)
    assert _unrolled_rows(schedule(mod, target, decisions)) == rows
    assert (note.code, note.severity) == ("EK206", "note")
    assert len(note.notes) == 3


def test_a_log_of_which_nothing_applies_is_a_warning(mod: Any, target: Any, tmp_path: Path) -> None:
    append(tmp_path / "log", Trial("a", "another target", tvm.__version__, Decision(1, 1, True), 1.0, 2.0))
    decisions, (warning,) = decisions_of(tmp_path / "log", mod, target)
    assert decisions == {}
    assert (warning.code, warning.severity) == ("EK206", "warning")
    assert warning.notes == ("1 were made for another target",)


def test_the_rule_stays_where_it_is_better() -> None:
    def trial(microseconds: float | None, rule: float | None) -> Trial:
        return Trial("a", "t", "1", Decision(1, 1, True), microseconds, rule)

    assert (
        best([trial(2.0, 1.0), trial(1.0, 1.0), trial(1.0, 1.01), trial(None, 1.0), trial(1.0, None)]) == {}
    )
    assert best([trial(1.0, 1.2)]) == {"a": {"rows": 1, "vectors": 1, "columns_first": True}}


def test_workload_does_not_depend_on_names(mod: Any, fused: Fixture, weight: Fixture) -> None:
    other = fused(
        lambda b, y: relax.op.nn.relu(b.emit(relax.op.matmul(y, weight(7, (24, 40)), out_dtype="float32"))),
        [((9, 24), "float32")],
    )
    wider = fused(lambda b, y: relax.op.matmul(y, weight(7, (24, 40))), [((9, 24), "float32")])
    keys = [workload(p, c) for m in (mod, other, wider) for p, c, _ in arranged_programs(m).values()]
    assert keys[0] == keys[1] != keys[2]


LINE = {
    "workload": "a",
    "target": "t",
    "tvm": "1",
    "decision": {"rows": 1, "vectors": 1, "columns_first": True},
    "microseconds": 1,
    "rule_microseconds": 1,
}
DAMAGED = [
    "{",
    "[]",
    "null",
    '{"workload": "a"}',
    json.dumps(LINE | {"workload": 1}),
    json.dumps(LINE | {"decision": {"rows": -1, "vectors": 1, "columns_first": True}}),
    json.dumps(LINE | {"decision": {"rows": 1, "vectors": 1, "columns_first": 0}}),
    json.dumps(LINE | {"microseconds": float("nan")}),
    json.dumps(LINE | {"rule_microseconds": -1}),
    json.dumps({k: v for k, v in LINE.items() if k != "tvm"}),
    "[" * 100_000,
]  # fmt: skip


@pytest.mark.parametrize("line", DAMAGED, ids=range(len(DAMAGED)))
def test_damaged_lines_are_a_warning(line: str, tmp_path: Path) -> None:
    log = tmp_path / "log"
    good = Trial("a", "t", "1", Decision(6, 2, False), 3.5, 4.0)
    append(log, good)
    with log.open("a") as file:
        file.write(line + "\n")
    append(log, good)
    trials, (warning,) = read_log(log)
    assert trials == [good, good]
    assert (warning.code, warning.where.line) == ("EK206", 2)


def test_binary_and_unreadable_logs(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(bytes(np.arange(256, dtype=np.uint8)))
    assert read_log(tmp_path / "log")[1][0].code == "EK206"
    assert read_log(tmp_path)[1][0].code == "EK206"
    assert read_log(tmp_path / "absent") == ([], ())


def test_another_machine(mod: Any, tmp_path: Path) -> None:
    arch = "riscv64" if "riscv64" not in tvm.target.codegen.llvm_get_system_triple() else "aarch64"
    target = tvm.target.Target({"kind": "llvm", "mtriple": f"{arch}-linux-gnu"})
    with pytest.raises(EdgekitError, match="does not run on this machine"):
        tune(mod, target, 0.1, tmp_path / "log", link)
