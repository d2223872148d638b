"""Finds the models in a folder, and says of everything else that looks like one why it is left out."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

FORMATS = {
    ".onnx": "ONNX",
    ".h5": "Keras HDF5",
    ".hdf5": "Keras HDF5",
    ".keras": "Keras",
    ".pb": "frozen TensorFlow graph",
}
SAVED_MODEL = "SavedModel"
TFLITE = ".tflite"


@dataclass(frozen=True, slots=True)
class Found:
    """A model that can be imported: a file or a SavedModel folder."""

    path: Path
    format: str


@dataclass(frozen=True, slots=True)
class Skipped:
    """A model that is not converted, and why."""

    path: Path
    reason: str


@dataclass(frozen=True, slots=True)
class Source:
    """Where a file was published."""

    repository: str
    commit: str
    license: str


def models(folder: Path) -> list[Found]:
    """Returns every model below a folder that has a format edgekit imports."""
    found = []
    for path in sorted(folder.rglob("*")):
        if path.name == "saved_model.pb":
            found.append(Found(path.parent, SAVED_MODEL))
        elif path.is_file() and path.suffix in FORMATS:
            found.append(Found(path, FORMATS[path.suffix]))
    return found


def skipped(folder: Path) -> Iterator[Skipped]:
    """Yields the models in formats that are not a source of a conversion."""
    for path in sorted(folder.rglob("*")):
        if path.suffix == TFLITE:
            yield Skipped(path, "TFLite already")
        elif path.suffix == ".xml" and path.with_suffix(".bin").is_file():
            yield Skipped(path, "OpenVINO IR, which edgekit does not import")


def sources(folder: Path) -> dict[str, Source]:
    """Returns where the files come from, by path below the folder, as its MANIFEST.csv says."""
    with (folder / "MANIFEST.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    found = {r["file"]: Source(r["source_repo"], r["commit"], r["license"]) for r in rows}
    saved = [name for name in found if name.endswith("/saved_model.pb")]
    return found | {name.rpartition("/")[0]: found[name] for name in saved}
