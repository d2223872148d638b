"""Files as untrusted input: found, readable, regular, of a known kind; each failure is a diagnostic."""

from __future__ import annotations

import difflib
import hashlib
import os
from pathlib import Path

from edgekit.diagnostics import EdgekitError, Where, error

_MAGIC: tuple[tuple[int, bytes, str, str | None], ...] = (
    (0, b"version https://git-lfs", "a Git LFS pointer", "fetch the file itself with `git lfs pull`"),
    (4, b"TFL3", "a TFLite model", "give the file the suffix `.tflite`"),
    (0, b"\x89HDF\r\n\x1a\n", "an HDF5 file", "give the file the suffix `.h5` when it is a Keras model"),
    (0, b"PK\x03\x04", "a zip archive", "unpack it, or give it the suffix of its format (`.pt2`, `.keras`)"),
    (0, b"\x1f\x8b", "a gzip archive", "unpack it"),
    (0, b"<!DOCTYPE", "an HTML page", "the download failed: fetch the file again"),
    (0, b"<html", "an HTML page", "the download failed: fetch the file again"),
    (4, b"ORTM", "an ORT format model", "give the `.onnx` file that it was made from"),
)


def require_exists(path: Path) -> None:
    """Makes sure that something lies at the path.

    Raises:
        EdgekitError: EK101, with names that look alike from the same folder.
    """
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        raise _not_found(path) from None
    except (OSError, ValueError) as failure:
        raise _unreadable(path, failure) from None


def require_file(path: Path) -> int:
    """Makes sure that the path leads to a regular file that is not empty.

    Returns:
        Its size in bytes.

    Raises:
        EdgekitError: EK101 missing or not readable, EK102 not a regular file, EK103 empty.
    """
    require_exists(path)
    if not path.is_file():
        kind = "a folder" if path.is_dir() else "not a regular file"
        raise error("EK102", f"`{path}` is {kind}", where=Where(file=str(path)))
    if not os.access(path, os.R_OK):
        raise error("EK101", f"`{path}` cannot be opened: permission denied", where=Where(file=str(path)))
    size = path.stat().st_size
    if size == 0:
        raise error("EK103", f"`{path}` is empty", where=Where(file=str(path)))
    return size


def read_bytes(path: Path, limit: int) -> bytes:
    """Reads a regular file whole.

    Args:
        path: The file.
        limit: The largest size accepted, in bytes.

    Raises:
        EdgekitError: EK101 missing or not readable, EK102 not a regular file, EK103 empty,
            EK107 larger than `limit`.
    """
    size = require_file(path)
    if size > limit:
        raise error(
            "EK107",
            f"`{path}` has {size} bytes, the format allows {limit}",
            where=Where(file=str(path)),
            help="store the weights as external data",
        )
    try:
        return path.read_bytes()
    except OSError as failure:
        raise _unreadable(path, failure) from None


def head(path: Path, size: int = 4096) -> bytes:
    """Returns the first bytes of a file.

    Raises:
        EdgekitError: EK101 when it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return file.read(size)
    except OSError as failure:
        raise _unreadable(path, failure) from None


def sha256_of(path: Path) -> str:
    """Returns the hex SHA-256 of a file, read in pieces.

    Raises:
        EdgekitError: EK101 when the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as failure:
        raise _unreadable(path, failure) from None


def unlike(path: Path, data: bytes, expected: str) -> EdgekitError:
    """Builds the error for a file that cannot be parsed: another format, or a damaged one.

    Args:
        path: The file.
        data: Its content, or the beginning of it.
        expected: What it should be, such as `an ONNX model`.
    """
    where = Where(file=str(path))
    for offset, magic, kind, help_ in _MAGIC:
        if data.startswith(magic, offset):
            return error("EK102", f"`{path}` is {kind}, not {expected}", where=where, help=help_)
    if _is_text(data[:4096]):
        return error("EK102", f"`{path}` is a text file, not {expected}", where=where)
    return error(
        "EK103",
        f"`{path}` is not {expected}, or it is truncated or corrupt",
        where=where,
        notes=[f"it has {len(data)} bytes"],
        help="fetch or export the file again and compare its size and hash",
    )


def similar(name: str, names: list[str]) -> str | None:
    """Returns `did you mean ...` for the nearest of the names, or `None`."""
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    return f"did you mean `{near[0]}`?" if near else None


def _is_text(data: bytes) -> bool:
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as failure:
        if failure.end < len(data):
            return False
        text = data[: failure.start].decode("utf-8")  # only the last character is cut
    return all(c.isprintable() or c in "\r\n\t\f" for c in text)


def _not_found(path: Path) -> EdgekitError:
    try:
        names = [p.name for p in path.parent.iterdir()]
    except OSError:
        return error("EK101", f"the folder `{path.parent}` does not exist", where=Where(file=str(path)))
    return error(
        "EK101", f"`{path}` does not exist", where=Where(file=str(path)), help=similar(path.name, names)
    )


def _unreadable(path: Path, failure: Exception) -> EdgekitError:
    reason = getattr(failure, "strerror", None) or str(failure)
    return error("EK101", f"`{path}` cannot be opened: {reason.lower()}", where=Where(file=str(path)))
