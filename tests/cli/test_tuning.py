"""`--tune` and `--tuning-log`: a log beside the artifact, which a later conversion uses."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgekit.cli.console import _shown
from edgekit.lowering.progress import Share

pytest.importorskip("tvm", reason="apache-tvm is not installed")
Run = Callable[..., Any]
TVM = ("--backend", "tvm")


def test_tune_and_use_the_log(run: Run, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgekit.lowering.tvm.schedule.tuning.jobs.TILES", 2)
    tuned = run("convert", model, *TVM, "-o", "a", "--tune", "5")
    assert tuned.code == 0, tuned.stderr
    assert "is verified" in tuned.stdout
    log = tmp_path / "a.tuning.jsonl"
    lines = log.read_text().splitlines()
    assert lines
    assert all(json.loads(line)["rule_microseconds"] for line in lines)
    recipe = json.loads((tmp_path / "a/manifest.json").read_text())["recipe"]
    assert recipe["tuning"]["log"] == "a.tuning.jsonl"
    again = run("convert", model, *TVM, "-o", "b", "--tuning-log", log)
    assert again.code == 0, again.stderr
    assert log.read_text().splitlines() == lines
    library = [(tmp_path / name / "small.so").stat().st_size for name in ("a", "b")]
    assert library[0] == pytest.approx(library[1], abs=4096)  # the same schedules


@pytest.mark.parametrize("minutes", ["0", "-1", "nan", "soon"])
def test_minutes_are_a_number_above_0(run: Run, model: Path, minutes: str, tmp_path: Path) -> None:
    outcome = run("convert", model, *TVM, "-o", "a", "--tune", minutes)
    assert outcome.code == 2, outcome.stderr
    assert list(tmp_path.glob("a*")) == []


def test_tuning_for_another_machine_is_refused(run: Run, model: Path, tmp_path: Path) -> None:
    outcome = run("convert", model, *TVM, "-o", "a", "--tune", "1", "--triple", "riscv64-linux-gnu")
    assert outcome.code == 2
    assert "EK204" in outcome.stderr
    assert list(tmp_path.glob("a*")) == []


@pytest.mark.skipif(os.name != "posix", reason="sends a signal")
def test_an_interrupt_keeps_the_log_and_writes_no_artifact(model: Path, tmp_path: Path) -> None:
    code = (
        "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler)"  # ignored under nohup
    )
    code += "; from edgekit.cli.main import main; sys.exit(main())"
    call = [sys.executable, "-c", code]
    call += ["convert", str(model), *TVM, "-o", "a", "--tune", "5"]
    process = subprocess.Popen(call, cwd=tmp_path, stderr=subprocess.PIPE, start_new_session=True, text=True)
    log, end = tmp_path / "a.tuning.jsonl", time.monotonic() + 180
    while not (log.exists() and log.stat().st_size) and time.monotonic() < end and process.poll() is None:
        time.sleep(0.05)
    if process.poll() is not None:
        pytest.skip("the tuning ended before this busy machine looked again")
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: the child gets it too
    _, words = process.communicate(timeout=60)
    assert (process.returncode, "interrupted" in words) == (130, True), words
    assert all(json.loads(line) for line in log.read_text().splitlines())
    assert not (tmp_path / "a").exists()
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)  # nobody of the group is left


def test_a_share_is_shown_as_a_bar() -> None:
    from rich.console import Console

    console = Console(width=60)
    with console.capture() as capture:
        console.print(_shown(Share("tune: 3 of 4", 0.75)))
    assert capture.get().split() == ["━" * 15, "tune:", "3", "of", "4"]
    assert _shown("compile") == "compile"
