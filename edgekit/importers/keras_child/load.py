"""Loads `.keras` and HDF5 files with Keras 3 or tf-keras, whichever understands them."""

from __future__ import annotations

import importlib
import json
import re
import shutil
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edgekit.diagnostics import EdgekitError, Where, error
from edgekit.importers.keras_child.hdf5 import open_file, text_attribute
from edgekit.importers.keras_child.source import Source, unique
from edgekit.importers.keras_config import activation_names, layer_of_class
from edgekit.importers.keras_files import Kind

_TITLES = {"keras": "Keras", "tf_keras": "tf-keras"}


def load(path: Path, kind: Kind, *, folder: Path, allow_code: bool, package: str | None) -> Source:
    """Loads a file without its training state.

    The package whose major version wrote the file comes first: Keras 3 reads many files of Keras 2 but
    gives some of them another meaning (`hard_sigmoid` has another slope).

    Args:
        path: The file.
        kind: How it is stored.
        folder: Where a copy with another suffix may be put.
        allow_code: Whether code stored in the file may run.
        package: `keras` or `tf_keras` when only that one may load it.

    Raises:
        EdgekitError: EK112 with what each loader said, EK501 when none is installed.
    """
    version, config = _version_and_config(path, kind)
    readable = _with_suffix(path, kind, folder)
    failures: list[tuple[str, Exception]] = []
    for name in [package] if package else _order(version):
        try:
            module = importlib.import_module(name)
        except ImportError as failure:
            failures.append((f"`{_TITLES[name]}` is not installed", failure))
            continue
        title = f"{_TITLES[name]} {module.__version__}"
        try:
            if name == "keras":
                _refuse_other_meaning(path, version, config)
            model = module.models.load_model(readable, compile=False, safe_mode=not allow_code)
        except Exception as failure:  # noqa: BLE001 - whatever the file makes Keras raise, the other may do
            failures.append((f"{title}: {_reason(failure)}", failure))
            continue
        return as_source(model, module, title)
    raise _refused(path, version, config, failures)


def as_source(model: Any, package: Any, loader: str) -> Source:
    """Returns the inference function of a Keras model.

    Args:
        model: The model.
        package: The module `keras` or `tf_keras` that it belongs to.
        loader: What loaded it, with its version.

    Raises:
        EdgekitError: EK112 when the model does not say what its inputs are.
    """
    import tensorflow as tf

    functional = getattr(model, "_functional", None) or model  # a Sequential of Keras 3 wraps one
    if not getattr(functional, "inputs", None):
        raise error(
            "EK112",
            f"the Keras model `{model.name}` does not say what its inputs are",
            help="call it once on a batch of data, or set `keras.Input`, and save it again",
        )
    names = _input_names(functional)
    specs = tuple(tf.TensorSpec(t.shape, t.dtype, n) for t, n in zip(functional.inputs, names, strict=True))
    legacy = package.__name__ == "tf_keras"
    tree = tf.nest if legacy else package.tree
    structure = functional._nested_inputs if legacy else functional._inputs_struct

    def call(*tensors: Any) -> Any:
        return tree.flatten(model(tree.pack_sequence_as(structure, tensors), training=False))

    outputs = unique(_output_names(functional), set(names))
    return Source(model.name, loader, call, specs, outputs, model=model, package=package)


def _input_names(functional: Any) -> tuple[str, ...]:
    names = getattr(functional, "input_names", None)
    if names is None:
        names = [t._keras_history.operation.name for t in functional.inputs]
    return unique(names, set())


def _output_names(functional: Any) -> list[str]:
    structure = getattr(functional, "_outputs_struct", None)
    if structure is None:
        structure = getattr(functional, "_nested_outputs", None)
    if isinstance(structure, dict) and len(structure) == len(functional.outputs):
        return sorted(structure)  # flattening sorts by key
    return list(functional.output_names)


def _version_and_config(path: Path, kind: Kind) -> tuple[str, Any]:
    """Returns the Keras version that wrote the file (empty: unknown) and the model's configuration."""
    if kind is Kind.HDF5:
        with open_file(path) as file:
            return text_attribute(file, "keras_version") or "", json.loads(
                text_attribute(file, "model_config") or "null"
            )
    with zipfile.ZipFile(path) as archive:
        metadata = json.loads(archive.read("metadata.json"))
        return str(metadata.get("keras_version", "")), json.loads(archive.read("config.json"))


def _order(version: str) -> Sequence[str]:
    return ("keras", "tf_keras") if version.partition(".")[0] not in ("", "1", "2") else ("tf_keras", "keras")


def _with_suffix(path: Path, kind: Kind, folder: Path) -> str:
    """Keras chooses the reader by the suffix; old versions wrote HDF5 under `.keras`."""
    suffixes = (".keras",) if kind is Kind.ARCHIVE else (".h5", ".hdf5")
    if path.suffix in suffixes:
        return str(path)
    renamed = folder / f"model{suffixes[0]}"
    try:
        renamed.symlink_to(path.resolve())
    except OSError:  # no right to make links on Windows
        shutil.copyfile(path, renamed)
    return str(renamed)


def _refuse_other_meaning(path: Path, version: str, config: Any) -> None:
    if _order(version)[0] != "keras" and "hard_sigmoid" in activation_names(config):
        raise ValueError("`hard_sigmoid` of Keras 2 is 0.2 x + 0.5, of Keras 3 x / 6 + 0.5")


def _refused(path: Path, version: str, config: Any, failures: list[tuple[str, Exception]]) -> EdgekitError:
    first = str(failures[0][1])  # the loader that fits the file; what the other misses says little
    named, unknown = re.search(r"'name': '([^']+)'", first), re.search(_UNKNOWN, first)
    layer = named[1] if named else None
    missing = any(isinstance(f, ImportError) for _, f in failures)
    written = f"it was written by Keras {version}" if version else "it does not say which Keras wrote it"
    if unknown is not None:
        layer = layer or layer_of_class(config, unknown[1])
        message = f"`{path}` uses `{unknown[1]}`, which does not come with Keras"
        help_ = "load the model in Python and pass it to `edgekit.load` instead of the file"
    else:
        message = f"`{path}` cannot be loaded by Keras"
        help_ = 'pip install "edgekit[keras]"' if missing else "save it again with the Keras that wrote it"
    return error(
        "EK112",
        message,
        where=Where(file=str(path), scope=layer, nodes=(layer,) if layer else ()),
        notes=[written, *(text for text, _ in failures)],
        help=help_,
        data={"keras_version": version, "not_loaded": True},
    )


_UNKNOWN = (
    r"(?:Unknown (?:layer|object|activation function|\w+): ?|Could not locate (?:class|function) )'?(\w+)'?"
)
_NESTED = re.compile(r"Exception encountered: ?(.+)", re.DOTALL)


def _reason(failure: Exception) -> str:
    """Returns the innermost reason that Keras gives, on one line of bearable length."""
    text = str(failure) or type(failure).__name__
    while nested := _NESTED.search(text):
        text = nested[1]
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    line = lines[0] if lines else type(failure).__name__
    return line if len(line) <= 240 else f"{line[:237]}..."
