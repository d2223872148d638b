"""Checks of Keras HDF5 files, also those inside `.keras` archives, before Keras reads them."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

from edgekit.diagnostics import Where, error
from edgekit.importers.keras_config import stored_code
from edgekit.importers.keras_files import DAMAGED, WEIGHT_LIMIT, Kind, refuse_code


def check(path: Path, kind: Kind, *, folder: Path, allow_code: bool) -> None:
    """Refuses a file that is damaged, reaches outside itself, or holds no model.

    Args:
        path: An HDF5 file or a `.keras` archive.
        kind: Which of the two.
        folder: Where the weights of an archive may be unpacked; seeking inside the archive is slow.
        allow_code: Whether code stored in the file may run.

    Raises:
        EdgekitError: EK103 truncated or corrupt, EK106 links to other files, EK107 too large, EK111
            loading would run code, EK112 weights without a model.
    """
    if kind is Kind.ARCHIVE:
        with _opened(path, _unpacked(path, folder)) as file:
            _check_contents(path, file)
        return
    with open_file(path) as file:
        _check_contents(path, file)
        text = text_attribute(file, "model_config")
        if text is None:
            raise _no_model(path, file)
    try:
        config = json.loads(text)
    except (ValueError, RecursionError):
        raise error(
            "EK103", f"the model configuration in `{path}` is not valid JSON", where=_at(path)
        ) from None
    found = stored_code(config)
    if found and not allow_code:
        raise refuse_code(path, found)


def open_file(path: Path) -> Any:
    """Opens an HDF5 file for reading.

    Raises:
        EdgekitError: EK103 when it is truncated or corrupt.
    """
    return _opened(path, path)


def text_attribute(file: Any, name: str) -> str | None:
    """Returns a text attribute of the root group, or `None`."""
    value = file.attrs.get(name)
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def _unpacked(path: Path, folder: Path) -> Path:
    try:
        with zipfile.ZipFile(path) as archive:
            return Path(archive.extract("model.weights.h5", folder))
    except DAMAGED as failure:
        raise error(
            "EK103", f"the weights in `{path}` are damaged", where=_at(path), notes=[str(failure)]
        ) from None


def _opened(path: Path, source: Path) -> Any:
    import h5py

    try:
        return h5py.File(source, "r")
    except (OSError, RuntimeError, KeyError, ValueError) as failure:
        raise error(
            "EK103",
            f"`{path}` is a truncated or corrupt HDF5 file",
            where=_at(path),
            notes=[str(failure)],
            help="fetch or save the file again and compare its size and hash",
        ) from None


def _check_contents(path: Path, file: Any) -> None:
    """Walks all links without following them out of the file."""
    import h5py

    total, open_groups, seen = 0, [file], set()
    while open_groups:
        group = open_groups.pop()
        for name in group:
            link = group.get(name, getlink=True)
            if isinstance(link, h5py.ExternalLink):
                raise _reaches_out(path, f"{group.name}/{name}", link.filename)
            if isinstance(link, h5py.SoftLink):
                continue
            item = group[name]
            if isinstance(item, h5py.Group):
                if item.id not in seen:  # hard links can form a cycle
                    seen.add(item.id)
                    open_groups.append(item)
                continue
            if isinstance(item, h5py.Dataset):
                if item.external or item.is_virtual:
                    raise _reaches_out(path, item.name, str(item.external or "a virtual source"))
                if not item.name.startswith("/optimizer_weights"):
                    total += item.size * item.dtype.itemsize
    if total > WEIGHT_LIMIT:
        raise error(
            "EK107",
            f"the weights in `{path}` have {total} bytes, an ONNX model holds {WEIGHT_LIMIT}",
            where=_at(path),
        )


def _reaches_out(path: Path, name: str, target: str) -> Exception:
    return error(
        "EK106",
        f"`{name}` in `{path}` refers to another file",
        where=_at(path),
        notes=[f"it refers to `{target}`"],
    )


def _no_model(path: Path, file: Any) -> Exception:
    if "layer_names" in file.attrs or "layers" in file or "_layer_checkpoint_dependencies" in file:
        return error(
            "EK112",
            f"`{path}` holds weights only, not the model they belong to",
            where=_at(path),
            help="save the whole model with `model.save(...)`, or load the weights into the model in Python "
            "and pass the model to `edgekit.load`",
        )
    return error(
        "EK102", f"`{path}` is an HDF5 file, but no Keras model: it has no `model_config`", where=_at(path)
    )


def _at(path: Path) -> Where:
    return Where(file=str(path))
