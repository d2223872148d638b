"""Live Keras and TensorFlow models, saved for the child process that exports them.

The user's process is left as it is: the model is saved, nothing is patched, nothing is printed.
"""

from __future__ import annotations

import contextlib
import json
import logging
import warnings
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgekit.diagnostics import EdgekitError, error
from edgekit.importers.keras_config import stored_code
from edgekit.importers.keras_files import Kind
from edgekit.importers.registry import is_live


@dataclass(frozen=True, slots=True)
class Saved:
    """Where a live model was put.

    Attributes:
        kind: How it was saved.
        path: Where.
        package: The package that must load it, if any.
        layers: Names of its layers, where the file does not tell.
        inputs: Names of the inputs in the order of the sorted names in the file; empty: those are right.
        outputs: The same for the outputs.
    """

    kind: Kind
    path: Path
    package: str | None = None
    layers: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()


def is_model(value: Any) -> bool:
    """Says whether a value is a Keras model or a TensorFlow module, importing neither."""
    return package_of(value) is not None or is_live(value, "tensorflow", "Module")


def package_of(value: Any) -> str | None:
    """Returns `keras` or `tf_keras` for a Keras model, else `None`."""
    return next((name for name in ("keras", "tf_keras") if is_live(value, name, "Model")), None)


def save(model: Any, folder: Path, *, graph_only: bool = False) -> Saved:
    """Saves a live model.

    A Keras model of Keras' own layers goes into a `.keras` archive, which keeps its layers; any other
    into a SavedModel, which keeps only the graph but needs no code of the user's.

    Args:
        model: A Keras 3 or tf-keras model, or a `tf.Module` with one traced function.
        folder: A folder to write to.
        graph_only: Save to a SavedModel in any case.

    Raises:
        EdgekitError: EK112 when the model cannot be saved.
    """
    package = package_of(model)
    try:
        with _quiet():
            if package is None:
                return _save_module(model, folder / "saved_model")
            archive = None if graph_only else _save_archive(model, package, folder)
            return archive or _save_graph(model, package, folder / "saved_model")
    except EdgekitError:
        raise
    except Exception as failure:
        lines = str(failure).strip().splitlines()
        raise error(
            "EK112",
            f"the live model cannot be saved for export: {type(failure).__name__}",
            notes=[line.strip()[:240] for line in lines[:3]],
            help="call the model once on a batch of data first",
        ) from failure


def _save_module(module: Any, path: Path) -> Saved:
    import tensorflow as tf

    tf.saved_model.save(module, str(path))
    return Saved(Kind.SAVED_MODEL, path)


def _save_archive(model: Any, package: str, folder: Path) -> Saved | None:
    """Saves to `.keras`; `None` when that would need the user's code to load."""
    path = folder / "model.keras"
    try:
        model.save(str(path))
    except Exception:  # noqa: BLE001 - users' `get_config` raises anything; the graph can still be saved
        return None
    with zipfile.ZipFile(path) as archive:
        text = archive.read("config.json")
    if stored_code(json.loads(text)) or any(not _is_own(layer, package) for layer in _all_layers(model)):
        return None
    return Saved(Kind.ARCHIVE, path, package)


def _save_graph(model: Any, package: str, path: Path) -> Saved:
    names = tuple(sorted({layer.name for layer in _all_layers(model) if layer is not model}))
    if package == "keras" and _backend() != "tensorflow":
        raise error(
            "EK112",
            f"the model has custom layers, which Keras' `{_backend()}` backend cannot export",
            help="load it with `KERAS_BACKEND=tensorflow`, or export it to ONNX",
        )
    if not getattr(getattr(model, "_functional", None) or model, "inputs", None):  # subclassed
        model.export(str(path), **({"verbose": False} if package == "keras" else {}))
        return Saved(Kind.SAVED_MODEL, path, layers=names)
    return _save_function(model, package, path, names)


def _save_function(model: Any, package: str, path: Path, layers: tuple[str, ...]) -> Saved:
    import importlib

    import tensorflow as tf

    from edgekit.importers.keras_child.load import as_source

    source = as_source(model, importlib.import_module(package), package)
    specs = [tf.TensorSpec(s.shape, s.dtype, f"input_{i:03}") for i, s in enumerate(source.inputs)]

    @tf.function(input_signature=specs, autograph=False)  # type: ignore[untyped-decorator]
    def serve(*tensors: Any) -> Any:
        return {f"output_{i:03}": tf.identity(t) for i, t in enumerate(source.call(*tensors))}

    holder = tf.Module()
    holder.variables_of_model = [getattr(v, "value", v) if package == "keras" else v for v in model.variables]
    tf.saved_model.save(holder, str(path), signatures=serve)
    inputs = tuple(s.name for s in source.inputs)
    return Saved(Kind.SAVED_MODEL, path, layers=layers, inputs=inputs, outputs=source.outputs)


def _all_layers(model: Any) -> list[Any]:
    return list(model._flatten_layers(include_self=True, recursive=True))


def _is_own(layer: Any, package: str) -> bool:
    return type(layer).__module__.partition(".")[0] == package


def _backend() -> str:
    import keras

    return str(keras.backend.backend())


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keeps what TensorFlow logs while it saves off the user's terminal."""
    logger = logging.getLogger("tensorflow")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
