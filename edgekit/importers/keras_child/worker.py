"""Entry of the child process: reads a job, leaves an ONNX file or diagnostics."""

from __future__ import annotations

import json
import os
import sys
import traceback
from pathlib import Path
from typing import Any

from edgekit.diagnostics import EdgekitError, error, missing_package
from edgekit.importers.keras_child.source import Source
from edgekit.importers.keras_files import Kind
from edgekit.importers.keras_process import Job


def main() -> None:
    """Runs the job in the folder that the command line names; every failure becomes `answer.json`."""
    folder = Path(sys.argv[1])
    fields = json.loads((folder / "job.json").read_text())
    job = Job(**fields | {"kind": Kind(fields["kind"])})
    _limit_memory(job.memory)
    try:
        answer = run(job)
    except EdgekitError as failure:
        answer = {"diagnostics": [d.to_dict() for d in failure.diagnostics]}
    (folder / "answer.json").write_text(json.dumps(answer))
    sys.stdout.flush()
    os._exit(0)  # TensorFlow's threads can abort while the interpreter shuts down


def run(job: Job) -> dict[str, Any]:
    """Imports one model.

    Args:
        job: What to import and where to write.

    Returns:
        The fields of `Done`.

    Raises:
        EdgekitError: EK103 to EK112 for the model, EK501 for a missing package.
    """
    try:
        return _run(job)
    except EdgekitError:
        raise
    except ImportError as failure:
        if failure.name in ("tensorflow", "keras", "tf_keras", "tf2onnx", "h5py"):
            raise missing_package(failure.name, "keras", "importing a Keras model") from None
        raise _unexpected(failure) from failure
    except Exception as failure:
        raise _unexpected(failure) from failure


def _run(job: Job) -> dict[str, Any]:
    from edgekit.importers.keras_child import to_onnx, trace, verify
    from edgekit.importers.keras_scopes import Scopes

    source = _source(job)
    frozen = trace.freeze(source)
    scopes = Scopes(frozen.scopes, source.layers)
    proto = to_onnx.to_onnx(frozen, source.name, scopes, batched=source.batched)
    target = Path(job.folder) / "model.onnx"
    target.write_bytes(proto.SerializeToString())
    facts = {"loader": source.loader, **verify.verify(source, target)}
    return {
        "onnx": str(target),
        "scopes": dict(frozen.scopes),
        "layers": sorted(source.layers),
        "facts": facts,
    }


def _source(job: Job) -> Source:
    from edgekit.importers.keras_child import hdf5, load, saved_model

    path = Path(job.path)
    if job.kind is Kind.GRAPH:
        return saved_model.read_graph(path)
    if job.kind is Kind.SAVED_MODEL:
        return saved_model.read(path, allow_code=job.allow_code).renamed(job.inputs, job.outputs, job.layers)
    folder = Path(job.folder)
    hdf5.check(path, job.kind, folder=folder, allow_code=job.allow_code)
    return load.load(path, job.kind, folder=folder, allow_code=job.allow_code, package=job.package)


def _unexpected(failure: Exception) -> EdgekitError:
    lines = [line for line in str(failure).splitlines() if line.strip()]
    frame = traceback.extract_tb(failure.__traceback__)[-1]
    return error(
        "EK112",
        f"TensorFlow or tf2onnx failed on the model: {type(failure).__name__}",
        notes=[
            *(line.strip()[:240] for line in lines[:3]),
            f"in `{frame.name}` of `{Path(frame.filename).name}`",
        ],
        help="export the model to ONNX yourself, or replace the layer that the notes name",
    )


def _limit_memory(size: int) -> None:
    """A small file can ask for huge weights; better an error here than a machine out of memory."""
    try:
        import resource
    except ImportError:  # not a POSIX system: no such limit
        return
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    wanted = size if hard == resource.RLIM_INFINITY else min(size, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (wanted, hard))
