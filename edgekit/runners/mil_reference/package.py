"""Finds the files of a `.mlpackage` and reads them, within bounds."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgekit.diagnostics import EdgekitError, error

_MANIFEST = "Manifest.json"
_LARGEST_MANIFEST = 2**20
_LARGEST_MODEL = 2**31 - 1
"""Protobuf reads no more."""


@dataclass(frozen=True, slots=True)
class Package:
    """The files of a package.

    Attributes:
        folder: The package.
        model: The file of the specification.
    """

    folder: Path
    model: Path

    def weights(self, name: str) -> Path:
        """Returns the file that a constant names, such as `@model_path/weights/weight.bin`.

        Raises:
            EdgekitError: EK507 if it lies outside the package or does not exist.
        """
        relative = name.removeprefix("@model_path/")
        return self._inside(self.model.parent / relative, name)

    def stamps(self) -> tuple[tuple[str, int, int], ...]:
        """Returns name, time (ns) and size (bytes) of every file, to notice that one has changed."""
        files = sorted(p for p in self.folder.rglob("*") if p.is_file())
        return tuple((str(p), p.stat().st_mtime_ns, p.stat().st_size) for p in files)

    def _inside(self, path: Path, name: str) -> Path:
        resolved = path.resolve()
        if not resolved.is_relative_to(self.folder.resolve()):
            raise unreadable(f"the package refers to `{name}`, which lies outside of it")
        if not resolved.is_file():
            raise unreadable(f"the package refers to `{name}`, which is not in it")
        return resolved


def open_package(path: Path) -> Package:
    """Opens a package.

    Args:
        path: The folder, or a file in it.

    Raises:
        EdgekitError: EK507 if there is no package, or its manifest is damaged.
    """
    folder = next((p for p in (path, *path.absolute().parents) if (p / _MANIFEST).is_file()), None)
    if folder is None or not path.exists():
        raise unreadable(f"`{path}` is not a Core ML package: no `{_MANIFEST}` in it or above it")
    manifest = _manifest(folder / _MANIFEST)
    entries, root = manifest.get("itemInfoEntries"), manifest.get("rootModelIdentifier")
    entry = entries.get(root) if isinstance(entries, dict) and isinstance(root, str) else None
    relative = entry.get("path") if isinstance(entry, dict) else None
    if not isinstance(relative, str) or "\0" in relative:
        raise unreadable(f"`{_MANIFEST}` of the package does not name its model")
    package = Package(folder, folder)
    return Package(folder, package._inside(folder / "Data" / relative, relative))


def read_bounded(path: Path, largest: int = _LARGEST_MODEL) -> bytes:
    """Reads a file.

    Raises:
        EdgekitError: EK507 if it cannot be read or is larger than `largest` bytes.
    """
    try:
        if path.stat().st_size > largest:
            raise unreadable(f"`{path.name}` of the package is larger than {largest} bytes")
        return path.read_bytes()
    except OSError as problem:
        raise unreadable(f"`{path.name}` of the package cannot be read: {problem.strerror}") from problem


def unreadable(message: str, *notes: str) -> EdgekitError:
    """Builds the error for a package that is damaged."""
    return error("EK507", message, notes=notes)


def _manifest(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(read_bounded(path, _LARGEST_MANIFEST))
    except (ValueError, RecursionError) as problem:
        raise unreadable(f"`{_MANIFEST}` of the package is not JSON") from problem
    if not isinstance(found, dict):
        raise unreadable(f"`{_MANIFEST}` of the package is not a JSON object")
    return found
