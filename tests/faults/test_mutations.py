"""Whatever is wrong with a model file, the answer is a diagnostic: no traceback, no hang, no flood.

Cases run in a child process with little memory, so that a crash of native code is seen too.
"""

from __future__ import annotations

import collections
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

WORKER = Path(__file__).with_name("mutation_worker.py")
SECONDS = 10
"""Processor time that one case may take."""

PATIENCE = 120
"""Wall time after which a case hangs; machines can be busy."""


class Child:
    """The worker; started again when a case kills it."""

    def __init__(self) -> None:
        self.process: subprocess.Popen[str] | None = None
        self.deaths = 0

    def ask(self, action: str, case: int) -> dict[str, Any]:
        if self.process is None:
            self.process = subprocess.Popen(
                [sys.executable, str(WORKER)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        watchdog = threading.Timer(PATIENCE, self.process.kill)
        watchdog.start()
        try:
            self.process.stdin.write(f"{action} {case}\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        finally:
            watchdog.cancel()
        if line:
            return dict(json.loads(line))
        status = self.process.wait()
        self.process = None
        self.deaths += 1
        assert self.deaths < 5, f"the worker dies again and again, last in {action} {case} ({status})"
        return {"case": case, "outcome": f"died ({status})", "cpu": 0.0, "stdout": ""}

    def close(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()


@pytest.fixture
def child() -> Iterator[Child]:
    child = Child()
    yield child
    child.close()


def check(child: Child, action: str, cases: range) -> None:
    answers = [child.ask(action, case) for case in cases]
    count = collections.Counter(a["outcome"] for a in answers)
    bad = [a for a in answers if not (a["outcome"] == "ok" or a["outcome"].startswith("EK"))]
    bad += [a for a in answers if a["outcome"] == "EK901"]
    assert not bad, "\n".join(f"{action} {a['case']}: {a['outcome']}\n{a.get('trace', '')}" for a in bad[:20])
    slow = [(a["case"], round(a["cpu"], 1)) for a in answers if a["cpu"] > SECONDS]
    assert not slow
    assert not [a["case"] for a in answers if a["stdout"]]
    # The cases are of use only when some are refused for many reasons, and some are not refused.
    assert count["ok"] > len(cases) // 20, count
    assert sum(code.startswith("EK") for code in count) >= 5, count
    print(dict(count))


def test_import_of_damaged_models(child: Child) -> None:
    check(child, "load", range(200))


@pytest.mark.nightly
@pytest.mark.parametrize("part", range(10))
def test_import_of_many_damaged_models(child: Child, part: int) -> None:
    check(child, "load", range(200 + 200 * part, 400 + 200 * part))


@pytest.mark.parametrize("action", ["tflite"])
def test_conversion_of_damaged_models(child: Child, action: str) -> None:
    pytest.importorskip("edgekit.api")
    check(child, action, range(200))


@pytest.mark.parametrize("case", [2192])
def test_conversion_of_damaged_models_that_once_failed(child: Child, case: int) -> None:
    assert child.ask("tflite", case)["outcome"] in ("ok", "EK114")


@pytest.mark.nightly
@pytest.mark.parametrize("action", ["tflite", "onnx", "verified"])
@pytest.mark.parametrize("part", range(10))
def test_conversion_of_many_damaged_models(child: Child, action: str, part: int) -> None:
    pytest.importorskip("edgekit.api")
    check(child, action, range(200 + 200 * part, 400 + 200 * part))
