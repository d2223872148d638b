"""What only a real process shows: signals, pipes, terminals."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

COMMAND = [sys.executable, "-c", "from edgekit.cli.main import main; main()"]

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals and terminals of POSIX")


def start(*arguments: str, **options: object) -> subprocess.Popen[str]:
    return subprocess.Popen([*COMMAND, *arguments], text=True, **options)  # type: ignore[call-overload, no-any-return]


def test_the_console_script_is_installed() -> None:
    script = Path(sys.executable).with_name("edgekit")
    done = subprocess.run([script, "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("edgekit ")


def test_an_interrupt_ends_quietly_with_130(tmp_path: Path) -> None:
    (tmp_path / "slow.py").write_text(
        "import sys, time\ndef make():\n    print('ready', flush=True)\n    time.sleep(60)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    # A background job of a shell, such as a CI run may be, hands down that interrupts are ignored.
    pipes["preexec_fn"] = lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)
    process = start("inspect", "slow:make", cwd=tmp_path, env=environment, **pipes)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=30)
    assert process.returncode == 130
    assert (stdout, stderr.strip()) == ("", "interrupted")


def test_a_reader_that_goes_away_is_no_crash() -> None:
    process = start("explain", "-v", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    assert process.stderr.read() == ""
    assert process.wait(timeout=30) == 141


@pytest.mark.parametrize("format", ["text", "json", "sarif"])
def test_names_that_are_not_unicode_are_shown_escaped(tmp_path: Path, format: str) -> None:
    name = os.fsencode(tmp_path) + b"/m\xff\xc3\xa9.onnx"
    environment = {**os.environ, "PYTHONIOENCODING": "cp1252"}
    command = [*COMMAND, "inspect", name, "--format", format, "--html", tmp_path / "page.html"]
    done = subprocess.run(command, capture_output=True, env=environment, check=False)
    assert done.returncode == 2
    shown = (done.stdout + done.stderr).decode("cp1252")
    assert "EK101" in shown
    assert "EK901" not in shown
    assert (tmp_path / "page.html").read_text(encoding="utf-8")


def on_terminal(*arguments: str, **variables: str) -> str:
    """Runs a command on a pseudo-terminal and returns all that it writes there."""
    import pty

    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "80", **variables}
    environment = {name: value for name, value in environment.items() if value}
    process = start(*arguments, stdin=theirs, stdout=theirs, stderr=theirs, env=environment)
    os.close(theirs)
    chunks, end = [], time.monotonic() + 30
    while time.monotonic() < end:
        try:
            chunk = os.read(ours, 65536)
        except OSError:  # the other side is closed
            break
        if not chunk:
            break
        chunks.append(chunk)
    os.close(ours)
    process.wait(timeout=30)
    return b"".join(chunks).decode()


def test_colours_on_a_terminal_unless_no_color_is_set() -> None:
    assert "\x1b[1;32mok\x1b[0m: " in on_terminal("explain", "EK901", NO_COLOR="")
    assert "\x1b" not in on_terminal("explain", "EK901", NO_COLOR="1")
    assert "\x1b" not in on_terminal("explain", "EK901", NO_COLOR="", TERM="dumb")


def test_progress_is_shown_on_a_terminal_only(tmp_path: Path) -> None:
    arguments = ("inspect", str(tmp_path / "missing.onnx"))
    assert "\x1b[?25l" in on_terminal(*arguments, NO_COLOR="")  # rich hides the cursor while it draws
    done = subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "\x1b" not in done.stderr
