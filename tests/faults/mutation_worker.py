"""Reads `<action> <case>` lines and answers each with one JSON line; a child of `test_mutations`."""

from __future__ import annotations

import contextlib
import io
import json
import os
import resource
import sys
import tempfile
import time
import traceback
import warnings
from pathlib import Path

import mutations

from edgekit.diagnostics import EdgekitError
from edgekit.importers import load

MEMORY = 2 * 2**30
"""Private memory that a case may take, in bytes."""


def act(action: str, path: Path) -> str:
    """Does one thing with a file; returns `ok` or the code of the refusal."""
    try:
        if action == "load":
            load(path)
        else:
            from edgekit import api

            api.convert(path, backend="onnx" if action == "onnx" else "tflite", verify=action == "verified")
    except EdgekitError as refusal:
        return refusal.diagnostics[0].code
    return "ok"


def answer(action: str, case: int, path: Path) -> dict[str, object]:
    path.write_bytes(mutations.mutated(case))
    before, start = os.times(), time.perf_counter()
    result: dict[str, object] = {"case": case}
    out, err = io.StringIO(), io.StringIO()
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            result["outcome"] = act(action, path)
    except BaseException:  # noqa: BLE001 (that anything but a refusal comes out is what the test looks for)
        result["outcome"] = "crash"
        result["trace"] = traceback.format_exc()[-3000:]
    after = os.times()
    result["cpu"] = sum(after[:4]) - sum(before[:4])
    result["wall"] = time.perf_counter() - start
    result["stdout"] = out.getvalue()[:500]
    return result


def main() -> None:
    """Answers until the input ends."""
    mutations.models()
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    channel = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what native code prints must not mix with the answers
    with tempfile.TemporaryDirectory() as folder:
        for line in sys.stdin:
            action, case = line.split()
            print(json.dumps(answer(action, int(case), Path(folder) / "m.onnx")), file=channel, flush=True)


if __name__ == "__main__":
    main()
