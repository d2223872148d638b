"""Tools of vendors crash, hang, lie and babble; edgekit must say which of these it was."""

from __future__ import annotations

import os
import stat
import time
from pathlib import Path

import pytest

from edgekit.compat.oneop import Draw, one_op
from edgekit.compat.oracle import oracle_for
from edgekit.diagnostics import EdgekitError

VERSION = 'if [ "$1" = --version ]; then echo 5.2.0; exit 0; fi\n'


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "relu.tflite"
    path.write_bytes(one_op("RELU", Draw()).to_bytes())
    return path


def tool(folder: Path, body: str) -> str:
    path = folder / "fake-vela"
    path.write_text("#!/bin/sh\n" + VERSION + body)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def failure(program: str, model: Path, timeout_s: float = 30.0) -> EdgekitError:
    with pytest.raises(EdgekitError) as caught:
        oracle_for("vela", program=program, timeout_s=timeout_s).opinion(model, "ethos-u55-128")
    return caught.value


@pytest.mark.parametrize(
    ("body", "code", "word"),
    [
        ("kill -SEGV $$\n", "EK502", "SIGSEGV"),
        ("kill -ABRT $$\n", "EK502", "SIGABRT"),
        ("echo 'RuntimeError: no such thing'; exit 1\n", "EK521", "no such thing"),
        ("exit 7\n", "EK521", "refuses the file"),
        ("echo all is well; exit 0\n", "EK522", "no compiled file"),
        (
            "mkdir out; for f in vela.tflite per-layer.csv debug.xml; do echo x > out/model_$f; done\n",
            "EK522",
            "debug database",
        ),
        ("head -c 9000000 /dev/urandom; exit 0\n", "EK522", "no compiled file"),
    ],
)
def test_each_way_of_failing_has_its_code(
    tmp_path: Path, model: Path, body: str, code: str, word: str
) -> None:
    found = failure(tool(tmp_path, body), model).diagnostics[0]
    assert found.code == code
    assert word in found.message


def test_a_tool_that_hangs_is_ended_with_its_children(tmp_path: Path, model: Path) -> None:
    child = tmp_path / "child"
    program = tool(tmp_path, f"sleep 600 &\necho $! > {child}\nsleep 600\n")
    start = time.monotonic()
    found = failure(program, model, timeout_s=1.0).diagnostics[0]
    assert found.code == "EK504"
    assert time.monotonic() - start < 20
    pid, patience = int(child.read_text()), time.monotonic() + 10
    while alive(pid) and time.monotonic() < patience:
        time.sleep(0.05)  # the kernel ends it in its own time
    assert not alive(pid)


def alive(pid: int) -> bool:
    """A process that was ended may stay as an entry until its parent looks."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_last_words_are_in_the_notes(tmp_path: Path, model: Path) -> None:
    notes = failure(tool(tmp_path, "echo first; echo the reason; exit 3\n"), model).diagnostics[0].notes
    assert "the reason" in notes


def test_a_tool_that_is_not_there(monkeypatch: pytest.MonkeyPatch, model: Path, tmp_path: Path) -> None:
    monkeypatch.setenv("EDGEKIT_VELA", str(tmp_path / "nothing"))
    with pytest.raises(EdgekitError) as caught:
        oracle_for("vela").opinion(model, "ethos-u55-128")
    found = caught.value.diagnostics[0]
    assert found.code == "EK501"
    assert "edgekit[npu]" in (found.help or "")
    assert caught.value.exit_code == 4


def test_the_variable_wins_over_the_path(
    monkeypatch: pytest.MonkeyPatch, model: Path, tmp_path: Path
) -> None:
    named, found = tmp_path / "named", tmp_path / "found"
    for folder, status in ((named, 3), (found, 4)):
        folder.mkdir()
        Path(tool(folder, f"echo from {folder.name}; exit {status}\n")).rename(folder / "vela")
    monkeypatch.setenv("PATH", str(found), prepend=os.pathsep)
    monkeypatch.setenv("EDGEKIT_VELA", str(named / "vela"))
    with pytest.raises(EdgekitError) as caught:
        oracle_for("vela").opinion(model, "ethos-u55-128")
    assert "from named" in caught.value.diagnostics[0].notes


def test_an_oracle_that_there_is_not() -> None:
    with pytest.raises(EdgekitError) as caught:
        oracle_for("delphi")
    assert caught.value.diagnostics[0].code == "EK204"
