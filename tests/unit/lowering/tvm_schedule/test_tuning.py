"""Tuning writes a log that later schedules follow; a damaged log is a warning."""

from __future__ import annotations

import json
from collections.abc import Callable
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
from edgekit.lowering.tvm.schedule.tuning.log import Decision, Trial, append, best, read_log
from edgekit.lowering.tvm.schedule.workload import workload

Fixture = Callable[..., Any]


@pytest.fixture
def mod(fused: Fixture, weight: Fixture) -> Any:
    return fused(
        lambda b, x: relax.op.nn.relu(b.emit(relax.op.matmul(x, weight(1, (24, 40))))), [((9, 24), "float32")]
    )


def test_tune_then_schedule(mod: Any, target: Any, tmp_path: Path) -> None:
    log = tmp_path / "tuning.jsonl"
    seen: list[tuple[int, int]] = []
    assert tune(mod, target, 0.5, log, lambda done, planned: seen.append((done, planned))) == ()
    trials, warnings = read_log(log)
    assert warnings == ()
    assert seen[-1] == (len(trials), len(trials))
    decisions, _ = decisions_of(log, target)
    ((program, constants, _),) = arranged_programs(mod).values()
    chosen = decisions[workload(program, constants)]
    assert chosen == best(trials, str(target))[trials[0].workload]
    assert _unrolled_rows(schedule(mod, target, decisions)) == chosen["rows"]
    before = log.read_text()
    tune(mod, target, 0.5, log)
    assert log.read_text() == before  # all is measured already


def _unrolled_rows(mod: Any) -> int:
    text = mod.script()
    return int(text.split("for row in T.unroll(T.int64(")[1].split(")")[0]) if "for row in" in text else 1


@pytest.mark.parametrize("rows", [1, 3])
def test_schedule_follows_the_log(mod: Any, target: Any, rows: int, tmp_path: Path) -> None:
    ((program, constants, _),) = arranged_programs(mod).values()
    trial = Trial(workload(program, constants), str(target), Decision(rows, 2, True), 1.0)
    append(tmp_path / "log", trial)
    append(tmp_path / "log", Trial(trial.workload, "another target", Decision(2, 2, True), 0.5))
    decisions, _ = decisions_of(tmp_path / "log", target)
    assert _unrolled_rows(schedule(mod, target, decisions)) == rows


def test_workload_does_not_depend_on_names(mod: Any, fused: Fixture, weight: Fixture) -> None:
    other = fused(
        lambda b, y: relax.op.nn.relu(b.emit(relax.op.matmul(y, weight(7, (24, 40)), out_dtype="float32"))),
        [((9, 24), "float32")],
    )
    wider = fused(lambda b, y: relax.op.matmul(y, weight(7, (24, 40))), [((9, 24), "float32")])
    keys = [workload(p, c) for m in (mod, other, wider) for p, c, _ in arranged_programs(m).values()]
    assert keys[0] == keys[1] != keys[2]


DAMAGED = [
    "{",
    "[]",
    "null",
    '{"workload": "a"}',
    json.dumps({"workload": 1, "target": "t", "decision": {"rows": 1, "vectors": 1, "columns_first": True},
                "microseconds": 1}),
    json.dumps({"workload": "a", "target": "t", "decision": {"rows": -1, "vectors": 1, "columns_first": True},
                "microseconds": 1}),
    json.dumps({"workload": "a", "target": "t", "decision": {"rows": 1, "vectors": 1, "columns_first": 0},
                "microseconds": float("nan")}),
    "[" * 100_000,
]  # fmt: skip


@pytest.mark.parametrize("line", DAMAGED, ids=range(len(DAMAGED)))
def test_damaged_lines_are_a_warning(line: str, tmp_path: Path) -> None:
    log = tmp_path / "log"
    good = Trial("a", "t", Decision(6, 2, False), 3.5)
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
        tune(mod, target, 0.1, tmp_path / "log")
