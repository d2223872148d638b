"""Runs a vendor's tool in a process of its own, whatever the tool does: crash, hang, or talk without end."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgekit.diagnostics import error

_SHOWN = 12
"""Lines of the tool's last words that a diagnostic repeats."""
_READ = 4 << 20
"""Bytes of output that are looked at."""


@dataclass(frozen=True, slots=True)
class Finished:
    """A tool that ended by itself.

    Attributes:
        status: Its exit status.
        output: What it printed, both streams in the order of writing; the start of it if it is very long.
    """

    status: int
    output: str


def run_tool(
    tool: str,
    command: Sequence[str],
    folder: Path,
    *,
    timeout_s: float,
    environment: Mapping[str, str] | None = None,
) -> Finished:
    """Runs a command to its end.

    Args:
        tool: The tool's name, for messages.
        command: Program and arguments.
        folder: Where it runs; its output is kept there in `log`.
        timeout_s: Seconds after which it and its children are ended.
        environment: Variables to set beside the inherited ones.

    Returns:
        Status and output. Tools of vendors end with status 0 on errors, so neither says that all is well.

    Raises:
        EdgekitError: EK501 if the program cannot be started, EK502 if a signal ended it, EK504 if it did
            not finish in time.
    """
    log = folder / "log"
    with log.open("wb") as sink:
        child = _started(tool, command, folder, sink.fileno(), environment or {})
        try:
            status = child.wait(timeout_s)
        except subprocess.TimeoutExpired:
            notes = last_words(_text(log))
            raise error("EK504", f"{tool} did not finish in {timeout_s:g} s", notes=notes) from None
        finally:
            _end(child)
    output = _text(log)
    if status < 0:
        name = {s.value: s.name for s in signal.Signals}.get(-status, f"signal {-status}")
        raise error("EK502", f"{tool} was ended by {name}", notes=last_words(output))
    return Finished(status, output)


def last_words(output: str) -> list[str]:
    """Returns the last lines that a tool printed, as a note for a diagnostic."""
    lines = [line.rstrip() for line in output.splitlines() if line.strip()]
    if not lines:
        return ["it printed nothing"]
    return ["the last that it printed:", *lines[-_SHOWN:]]


def _started(
    tool: str, command: Sequence[str], folder: Path, sink: int, environment: Mapping[str, str]
) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env={**os.environ, **environment},
            start_new_session=True,  # so that its children can be ended with it
        )
    except OSError as failure:
        reason = (failure.strerror or str(failure)).lower()
        raise error("EK501", f"{tool} cannot be started: `{command[0]}`: {reason}") from failure


def _end(child: subprocess.Popen[bytes]) -> None:
    """Ends what is left of the tool's process group."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()


def _text(log: Path) -> str:
    with log.open("rb") as stream:
        return stream.read(_READ).decode(errors="replace")
