"""A bug in edgekit: the crash report is written to a file, the user gets a diagnostic."""

from __future__ import annotations

import os
import platform
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator, Sequence
from importlib import metadata
from pathlib import Path

from edgekit import __version__
from edgekit.diagnostics import EdgekitError, Where, error

_PACKAGES = (
    "numpy",
    "onnx",
    "onnx-ir",
    "onnxruntime",
    "ai-edge-litert",
    "click",
    "rich",
    "torch",
    "tensorflow",
)


def crash_error(failure: BaseException, arguments: Sequence[str]) -> EdgekitError:
    """Writes the crash report and builds the diagnostic that names it (EK901).

    Args:
        failure: What nobody expected, with its traceback.
        arguments: The command line.
    """
    summary = f"{type(failure).__name__}: {failure}".strip().splitlines()[0]
    notes = [f"`{_innermost(failure)}`"] if failure.__traceback__ else []
    text = "\n".join(_lines(failure, arguments)) + "\n"
    try:
        path = _write(text)
    except OSError as problem:
        # Nowhere to write: the traceback is then the only trace of the bug, so it must not be lost.
        notes.append(f"the crash report could not be written: {problem}")
        notes += text.splitlines()
        return error("EK901", summary, notes=notes, help="please report this with the lines above")
    return error(
        "EK901",
        summary,
        where=Where(file=str(path)),
        notes=[
            *notes,
            "the file above holds the traceback, the command line and the versions, no model data",
        ],
        help="please report this with that file",
    )


def _write(text: str) -> Path:
    name = f"edgekit-crash-{time.strftime('%Y%m%d-%H%M%S')}-"
    handle, path = tempfile.mkstemp(prefix=name, suffix=".txt")
    with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as file:
        file.write(text)
    return Path(path)


def _innermost(failure: BaseException) -> str:
    last = traceback.extract_tb(failure.__traceback__)[-1]
    return f"{Path(last.filename).name}:{last.lineno} in {last.name}"


def _lines(failure: BaseException, arguments: Sequence[str]) -> Iterator[str]:
    yield f"edgekit {__version__} crash report"
    yield f"time:      {time.strftime('%Y-%m-%dT%H:%M:%S%z')}"
    yield f"arguments: {list(arguments)!r}"
    yield f"python:    {sys.version}"
    yield f"platform:  {platform.platform()}"
    for package in _PACKAGES:
        try:
            yield f"{package}: {metadata.version(package)}"
        except metadata.PackageNotFoundError:
            yield f"{package}: not installed"
    yield ""
    yield "".join(traceback.format_exception(failure)).rstrip()
