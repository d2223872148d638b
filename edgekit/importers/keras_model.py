"""Keras and TensorFlow: `.keras`, HDF5, SavedModel, frozen graphs, and live models."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from edgekit.diagnostics import Diagnostic, EdgekitError, Severity, missing_package
from edgekit.importers import keras_files, keras_live, keras_process, keras_scopes, onnx_file
from edgekit.importers.keras_process import Done, Job
from edgekit.importers.registry import Request, imports
from edgekit.ir import Model

TIMEOUT = 900.0
"""Seconds after which the import of one model is given up."""
_EXACT = 1e-4
"""Difference, relative to an output's range, that rounding in float32 explains."""
_PACKAGES = ("tensorflow", "tf2onnx", "h5py")


def _accepts(value: Any) -> bool:
    if not isinstance(value, Path):
        return keras_live.is_model(value)
    names = ("saved_model.pb", "saved_model.pbtxt", "keras_metadata.pb", "*/saved_model.pb")
    return value.is_dir() and any(True for name in names for _ in value.glob(name))


@imports("keras", suffixes=(".keras", ".h5", ".hdf5", ".pb"), accepts=_accepts, options=("allow_pickle",))
def load_keras(request: Request) -> Model:
    """Imports a Keras or TensorFlow model by exporting it to ONNX in a child process.

    Inputs, outputs, dtypes and the layout (NHWC stays NHWC) are those of the model; a free batch is the
    symbolic size `batch`. The scope of a node's origin is the path of its layer, `block1/conv`.

    Args:
        request: A file, a SavedModel folder, or a live model; `allow_pickle` lets Lambda layers, pickled
            functions and custom classes of a file run.

    Raises:
        EdgekitError: EK101 to EK107, EK111 and EK112 for the model, EK501 for a missing package.
    """
    path = request.path
    if path is None:
        return _load_live(request.source)
    if path.name == "saved_model.pb":
        path = path.parent
    kind = keras_files.check(path, allow_code=request.allow_pickle)
    _require_packages()
    with _folder() as folder:
        job = Job(kind, str(path.resolve()), str(folder), allow_code=request.allow_pickle)
        model = _import(job, path, f"`{path}`")
    return replace(model, path=path, sha256=keras_files.sha256_of(path))


def _load_live(source: Any) -> Model:
    _require_packages()
    try:
        return _import_live(source, graph_only=False)
    except EdgekitError as failure:
        if not failure.diagnostics[0].data.get("not_loaded"):
            raise
    return _import_live(source, graph_only=True)  # Keras cannot read what it wrote; its graph is still right


def _import_live(source: Any, *, graph_only: bool) -> Model:
    with _folder() as folder:
        saved = keras_live.save(source, folder, graph_only=graph_only)
        job = Job(
            saved.kind,
            str(saved.path),
            str(folder),
            allow_code=True,
            package=saved.package,
            layers=saved.layers,
            inputs=saved.inputs,
            outputs=saved.outputs,
        )
        return _import(job, saved.path, "the live model")


def _import(job: Job, path: Path, subject: str) -> Model:
    job = replace(job, memory=_memory_for(keras_files.size_of(path)))
    return model_of(keras_process.run(job, subject, timeout=TIMEOUT))


def model_of(done: Done) -> Model:
    """Brings what the child left into the form of the hub.

    Args:
        done: The answer of the child; its ONNX file still exists.
    """
    import onnx

    graph, found = onnx_file.from_proto(onnx.load(done.onnx), owned=True)
    keras_scopes.assign(graph, keras_scopes.Scopes(done.scopes, frozenset(done.layers)))
    graph.metadata_props["edgekit.import.loader"] = done.facts["loader"]
    return Model(graph, source="keras", diagnostics=(*found, *_warnings(done.facts)))


def _warnings(facts: Mapping[str, str]) -> Iterator[Diagnostic]:
    if "not compared" in facts:
        yield Diagnostic(
            "EK602",
            "the ONNX form of the Keras model was not compared with the model",
            severity=Severity.WARNING,
            notes=(facts["not compared"],),
        )
    elif float(facts["difference"]) > _EXACT:
        yield Diagnostic(
            "EK304",
            f"the ONNX form of the Keras model differs by {facts['difference']} of an output's range",
            severity=Severity.WARNING,
            notes=("half precision or a resize filter that TensorFlow tabulates can be the cause",),
        )


def _require_packages() -> None:
    for name in _PACKAGES:
        if importlib.util.find_spec(name) is None:
            raise missing_package(name, "keras", "importing a Keras or TensorFlow model")


def _memory_for(size: int) -> int:
    """Returns the bytes that the child may allocate for a model of `size` bytes.

    TensorFlow itself takes about 0.6 GB of private memory and stacks for a thread pool per core; freezing,
    converting and checking hold several copies of the weights at a time.
    """
    return 2 * 2**30 + (os.cpu_count() or 1) * 32 * 2**20 + 16 * size


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="edgekit-keras-", ignore_cleanup_errors=True) as name:
        yield Path(name)
