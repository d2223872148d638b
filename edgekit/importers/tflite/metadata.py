"""What a TFLite file says of itself: its description and the labels packed into it."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator

from edgekit.diagnostics import Where
from edgekit.ir import LABELS_KEY
from edgekit.tflite.reader import damage
from edgekit.tflite.schema import tflite_schema

DESCRIPTION_KEY = "edgekit.description"
"""Key of the hub model's metadata."""
_OWN_LABELS = "labels.txt"
"""The buffer in which our own backend keeps labels."""
_MOST = 100
"""Entries that are looked at."""
_LIMIT = 2**20
"""Largest label file, in bytes."""


def metadata_of(data: bytes, file: str | None = None) -> dict[str, str]:
    """Returns description and labels, as far as the file has them.

    Labels are our own buffer `labels.txt`, or a text file with `label` in its name in the zip archive that
    TFLite's metadata tools append to the file.

    Args:
        data: The file's bytes.
        file: Its name, for diagnostics.

    Raises:
        EdgekitError: EK113 if it is damaged.
    """
    model = tflite_schema().Model.GetRootAs(data, 0)
    found: dict[str, str] = {}
    with damage(Where(file=file)):
        description = (model.Description() or b"").decode(errors="replace")
        labels = next(_labels(model, data), None)
    if description:
        found[DESCRIPTION_KEY] = description
    if labels is not None:
        found[LABELS_KEY] = labels
    return found


def _labels(model: object, data: bytes) -> Iterator[str]:
    yield from _own(model)
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
    except (zipfile.BadZipFile, ValueError, OSError):
        return  # nothing is appended: the usual case
    with archive:
        for entry in archive.infolist():
            name = entry.filename.lower()
            if "label" not in name or not name.endswith(".txt") or entry.file_size > _LIMIT:
                continue
            try:
                yield archive.read(entry).decode("utf-8")
            except (
                zipfile.BadZipFile,
                UnicodeDecodeError,
                RuntimeError,
                NotImplementedError,
                EOFError,
                OSError,
            ):
                continue  # damaged, encrypted or no text: no labels for us


def _own(model: object) -> Iterator[str]:
    for number in range(min(model.MetadataLength(), _MOST)):  # type: ignore[attr-defined]
        entry = model.Metadata(number)  # type: ignore[attr-defined]
        if (entry.Name() or b"").decode(errors="replace") != _OWN_LABELS:
            continue
        buffer = model.Buffers(entry.Buffer())  # type: ignore[attr-defined]
        if not buffer.DataIsNone():
            yield buffer.DataAsNumpy().tobytes().decode(errors="replace")
