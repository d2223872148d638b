"""Starts the child process that imports a Keras or TensorFlow model, and takes what it leaves."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from edgekit.diagnostics import Diagnostic, EdgekitError, Severity, Where, error
from edgekit.importers.keras_files import Kind

_MAIN = """
import sys
sys.path += sys.argv.pop().split("\\n")
from edgekit.importers.keras_child import worker
worker.main()
"""
QUIET = {
    "ABSL_MIN_LOG_LEVEL": "3",
    "CUDA_VISIBLE_DEVICES": "-1",
    "KERAS_BACKEND": "tensorflow",
    "PYTHONHASHSEED": "0",  # tf2onnx walks sets of names: without it the order of nodes would vary
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "TF_ENABLE_ONEDNN_OPTS": "1",  # without it TensorFlow cannot run NCHW convolutions to compare with
}
"""Environment of the child."""


@dataclass(frozen=True, slots=True)
class Job:
    """What the child is asked to do.

    Attributes:
        kind: How the model is stored.
        path: Where.
        folder: Where the child may write; it is deleted afterwards.
        allow_code: Whether code stored in the file may run.
        package: `keras` or `tf_keras` when only that one may load the file.
        layers: Names of the layers, when the caller knows them and the file does not.
        inputs: Names of the inputs in the order of the sorted names in a SavedModel, to replace those.
        outputs: The same for the outputs.
        memory: Most bytes that the child may allocate.
    """

    kind: Kind
    path: str
    folder: str
    allow_code: bool = False
    package: str | None = None
    layers: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    memory: int = 0


@dataclass(frozen=True, slots=True)
class Done:
    """What the child leaves.

    Attributes:
        onnx: Path of the ONNX file.
        scopes: TensorFlow name scope to layer path.
        layers: Names of layers, where no scopes were noted.
        facts: What loaded, converted and checked the model, by a short key.
    """

    onnx: str
    scopes: dict[str, str]
    layers: tuple[str, ...]
    facts: dict[str, str]


def run(job: Job, subject: str, *, timeout: float) -> Done:
    """Runs one job in a child process.

    Args:
        job: The job; its folder exists.
        subject: What is imported, for messages.
        timeout: Seconds after which the child is ended.

    Raises:
        EdgekitError: What the child reports, or EK112 when it dies or does not finish in time.
    """
    folder = Path(job.folder)
    (folder / "job.json").write_text(json.dumps(asdict(job)))
    log = folder / "log"
    paths = [str(Path(p).resolve()) for p in sys.path]
    command = [sys.executable, "-P", "-c", _MAIN, str(folder), "\n".join(paths)]
    environment = os.environ | QUIET | {"KERAS_HOME": job.folder, "TMPDIR": job.folder, "TEMP": job.folder}
    with log.open("wb") as sink:
        try:
            status = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=sink,
                cwd=folder,
                env=environment,
                timeout=timeout,
                check=False,
            ).returncode
        except subprocess.TimeoutExpired:
            raise _died(subject, f"it did not finish in {timeout:g} s", log) from None
    answer = folder / "answer.json"
    if not answer.exists():
        raise _died(subject, f"it {_ending(status)}", log)
    fields = json.loads(answer.read_text())
    if "diagnostics" in fields:
        raise EdgekitError(*map(_diagnostic, fields["diagnostics"]))
    return Done(fields["onnx"], fields["scopes"], tuple(fields["layers"]), fields["facts"])


def _died(subject: str, how: str, log: Path) -> EdgekitError:
    lines = [x for x in log.read_text(errors="replace").splitlines() if x.strip()]
    return error(
        "EK112",
        f"TensorFlow could not import {subject}: {how}",
        notes=[f"last line that it printed: {lines[-1].strip()}"] if lines else ["it printed nothing"],
    )


def _ending(status: int) -> str:
    if status >= 0:
        return f"ended with status {status}"
    names = {s.value: s.name for s in signal.Signals}
    return f"was ended by {names.get(-status, f'signal {-status}')}"


def _diagnostic(fields: dict[str, Any]) -> Diagnostic:
    where = fields["where"]
    return Diagnostic(
        fields["code"],
        fields["message"],
        severity=Severity(fields["severity"]),
        where=Where(where["file"], where["line"], tuple(where["nodes"]), where["scope"]),
        notes=tuple(fields["notes"]),
        help=fields["help"],
        data=fields["data"],
    )
