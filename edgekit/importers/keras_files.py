"""Keras files and SavedModel folders as untrusted input: told apart and checked without TensorFlow."""

from __future__ import annotations

import enum
import hashlib
import json
import zipfile
import zlib
from pathlib import Path
from typing import Any

from edgekit.diagnostics import EdgekitError, Where, error
from edgekit.importers import files
from edgekit.importers.keras_config import StoredCode, stored_code

WEIGHT_LIMIT = 2**31 - 1
"""Most bytes of weights; an ONNX model, which the weights end in, is one protobuf message."""
_CONFIG_LIMIT = 64 * 2**20
DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError, ValueError)
"""What `zipfile` raises on archives that are cut, altered, encrypted or compressed in an unknown way."""
_HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"
_ZIP_MAGIC = b"PK\x03\x04"
_MEMBERS = frozenset({"config.json", "metadata.json", "model.weights.h5"})


class Kind(enum.StrEnum):
    """How a model is stored."""

    ARCHIVE = "archive"
    """The `.keras` zip archive."""
    HDF5 = "hdf5"
    SAVED_MODEL = "saved_model"
    GRAPH = "graph"
    """A frozen TensorFlow graph."""


def check(path: Path, *, allow_code: bool) -> Kind:
    """Finds out how a model is stored and refuses what is damaged or hostile.

    Args:
        path: An existing or missing file or folder.
        allow_code: Whether code stored in the file may run.

    Raises:
        EdgekitError: EK101 missing, EK102 another format, EK103 empty, truncated or corrupt, EK107
            too large, EK111 loading would run code, EK112 not a whole model.
    """
    files.require_exists(path)
    if path.is_dir():
        _check_folder(path)
        return Kind.SAVED_MODEL
    head = _head(path)
    if head.startswith(_HDF5_MAGIC):  # TensorFlow before 2.12 wrote HDF5 under `.keras` too
        return Kind.HDF5
    if path.suffix == ".pb":
        return Kind.GRAPH
    if not head.startswith(_ZIP_MAGIC) or path.suffix != ".keras":
        expected = "a Keras archive" if path.suffix == ".keras" else "an HDF5 file"
        raise files.unlike(path, head, expected)
    _check_archive(path, allow_code=allow_code)
    return Kind.ARCHIVE


def refuse_code(path: Path, found: list[StoredCode]) -> EdgekitError:
    """Builds the error for a file that would run code.

    Args:
        path: The file.
        found: What it holds; at least one.
    """
    layers = [f.layer for f in found if f.layer]
    return error(
        "EK111",
        f"`{path}` holds {found[0].what}, which runs code from outside Keras",
        where=Where(file=str(path), nodes=tuple(layers), scope=layers[0] if layers else None),
        notes=[f"`{f.layer}`: {f.what}" for f in found if f.layer],
        help="if you trust the file, pass `--allow-pickle` (`allow_pickle=True`), or give the model itself",
    )


def sha256_of(path: Path) -> str:
    """Returns the hash of a file, or of a folder's relative file names and hashes, in sorted order."""
    if path.is_file():
        return files.sha256_of(path)
    digest = hashlib.sha256()
    for file in sorted(p for p in path.rglob("*") if p.is_file()):
        digest.update(f"{file.relative_to(path).as_posix()}\0{files.sha256_of(file)}\n".encode())
    return digest.hexdigest()


def size_of(path: Path) -> int:
    """Returns the bytes of a file, or of all files in a folder."""
    return sum(p.stat().st_size for p in ([path] if path.is_file() else path.rglob("*")) if p.is_file())


def _head(path: Path) -> bytes:
    if not path.is_file():
        raise error("EK102", f"`{path}` is not a regular file", where=Where(file=str(path)))
    with path.open("rb") as file:
        head = file.read(4096)
    if not head:
        raise error("EK103", f"`{path}` is empty", where=Where(file=str(path)))
    return head


def _check_folder(path: Path) -> None:
    if (path / "saved_model.pb").is_file():
        _head(path / "saved_model.pb")
        return
    if (path / "saved_model.pbtxt").is_file():
        raise error("EK102", f"`{path}` holds a SavedModel in text form, which is not read")
    inner = sorted(p.parent.name for p in path.glob("*/saved_model.pb"))
    raise error(
        "EK102",
        f"`{path}` is a folder without `saved_model.pb`, so not a SavedModel",
        where=Where(file=str(path)),
        help=f"did you mean `{path / inner[0]}`?" if inner else "name the folder that holds `saved_model.pb`",
    )


def _check_archive(path: Path, *, allow_code: bool) -> None:
    where = Where(file=str(path))
    try:
        with zipfile.ZipFile(path) as archive:
            _check_members(path, archive)
            text = archive.read("config.json")
    except DAMAGED as failure:
        reason = str(failure).lower() or type(failure).__name__
        raise error(
            "EK103",
            f"`{path}` is a damaged Keras archive: {reason}",
            where=where,
            help="fetch or save the file again",
        ) from None
    config = _parse(path, text)
    found = stored_code(config)
    if found and not allow_code:
        raise refuse_code(path, found)


def _check_members(path: Path, archive: zipfile.ZipFile) -> None:
    where = Where(file=str(path))
    entries = archive.infolist()
    for entry in entries:
        parts = entry.filename.replace("\\", "/").split("/")
        if ".." in parts or entry.filename.startswith(("/", "\\")) or ":" in parts[0]:
            raise error(
                "EK103",
                f"`{path}` holds the entry `{entry.filename}`, which lies outside the archive",
                where=where,
            )
    missing = sorted(_MEMBERS - {e.filename for e in entries})
    if "config.json" in missing:
        raise error(
            "EK102", f"`{path}` is a zip archive but no Keras model: it has no `config.json`", where=where
        )
    if missing:
        raise error("EK103", f"the Keras archive `{path}` has no `{missing[0]}`", where=where)
    total = sum(e.file_size for e in entries)
    if total > 2 * WEIGHT_LIMIT or archive.getinfo("config.json").file_size > _CONFIG_LIMIT:
        raise error(
            "EK107", f"`{path}` unpacks to {total} bytes, more than an ONNX model can hold", where=where
        )


def _parse(path: Path, text: bytes) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise error(
            "EK103", f"`config.json` in `{path}` is not valid JSON", where=Where(file=str(path))
        ) from None
