"""The child process: what it leaves, and how its end is reported."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edgekit.diagnostics import Diagnostic, EdgekitError, Where
from edgekit.importers import keras_process
from edgekit.importers.keras_files import Kind
from edgekit.importers.keras_process import Job


def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, child: str, timeout: float = 60.0) -> Diagnostic:
    """Runs a child of the test's own in place of the worker; returns what it is refused with."""
    monkeypatch.setattr(keras_process, "_MAIN", child)
    with pytest.raises(EdgekitError) as failure:
        keras_process.run(Job(Kind.HDF5, "m.h5", str(tmp_path)), "`m.h5`", timeout=timeout)
    return failure.value.diagnostics[0]


def test_child_that_aborts_is_reported_with_its_last_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    child = "import os, sys; print('one'); print('check failed: x', file=sys.stderr, flush=True); os.abort()"
    found = run(tmp_path, monkeypatch, child)
    assert found.code == "EK112"
    assert "`m.h5`" in found.message
    assert "SIGABRT" in found.message
    assert found.notes == ("last line that it printed: check failed: x",)
    assert capfd.readouterr() == ("", "")


def test_child_that_exits_without_an_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = run(tmp_path, monkeypatch, "raise SystemExit(7)")
    assert "status 7" in found.message
    assert found.notes == ("it printed nothing",)


def test_child_that_hangs_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = run(tmp_path, monkeypatch, "import time; time.sleep(600)", timeout=0.5)
    assert found.code == "EK112"
    assert "0.5 s" in found.message


def test_diagnostics_cross_the_process_unchanged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sent = Diagnostic(
        "EK111",
        "it would run code",
        where=Where("a.h5", 3, ("n",), "block/conv"),
        notes=("a", "b"),
        help="do not",
        data={"x": 1},
    )
    answer = json.dumps({"diagnostics": [sent.to_dict()]})
    child = f"import sys, pathlib; pathlib.Path(sys.argv[1], 'answer.json').write_text({answer!r})"
    assert run(tmp_path, monkeypatch, child) == sent


def test_child_starts_apart_from_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file `json.py` in the user's folder must not be imported instead of the module."""
    (tmp_path / "json.py").write_text("raise RuntimeError('shadowed')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    child = (
        "import sys; sys.path += sys.argv.pop().split('\\n'); import json, pathlib;"
        "pathlib.Path(sys.argv[1], 'answer.json').write_text(json.dumps({'diagnostics': ["
        "{'code': 'EK112', 'message': 'm', 'severity': 'error', 'notes': [], 'help': None, 'data': {},"
        "'where': {'file': None, 'line': None, 'nodes': [], 'scope': None}}]}))"
    )
    assert run(tmp_path, monkeypatch, child).message == "m"
