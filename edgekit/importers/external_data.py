"""External data: every tensor outside of the model file lies in the model's folder and is long enough."""

from __future__ import annotations

import functools
import os
import stat
from collections.abc import Callable
from pathlib import Path

import onnx_ir as ir

from edgekit.diagnostics import EdgekitError, Where, error
from edgekit.importers import files
from edgekit.importers.onnx_checks.findings import shown

_ALONE = "copy the file, so that it has no other name"


def bind(model: ir.Model, path: Path) -> None:
    """Checks all external tensors and binds them to files; nothing is read, they are mapped on use.

    A symbolic link may point into the folder of the model, or into the folder that the model file
    itself is linked to (the layout of download caches).

    Args:
        model: The model; its tensors are replaced.
        path: The model file.

    Raises:
        EdgekitError: EK105 when a file is missing or too short, EK106 when it lies elsewhere.
    """
    roots = (Path(os.path.realpath(path.parent)), Path(os.path.realpath(path)).parent)
    binder = functools.partial(_bound, path=path, roots=roots)
    for graph in model.graphs():
        _bind_initializers(graph, binder)
        for node in graph:
            _bind_attributes(node, binder)


def _bind_initializers(graph: ir.Graph, binder: Callable[[ir.ExternalTensor], ir.ExternalTensor]) -> None:
    for value in graph.initializers.values():
        if isinstance(value.const_value, ir.ExternalTensor):
            value.const_value = binder(value.const_value)


def _bind_attributes(node: ir.Node, binder: Callable[[ir.ExternalTensor], ir.ExternalTensor]) -> None:
    for name, attribute in list(node.attributes.items()):
        if isinstance(attribute.value, ir.ExternalTensor):
            node.attributes[name] = ir.AttrTensor(name, binder(attribute.value))


def _bound(tensor: ir.ExternalTensor, path: Path, roots: tuple[Path, Path]) -> ir.ExternalTensor:
    location = os.fspath(tensor.location)
    where = Where(file=str(path))
    what = f"the data {shown(location)} of the tensor {shown(tensor.name)}"
    if "\0" in location:
        raise error("EK105", f"{what} does not exist", where=where)
    if Path(location).is_absolute() or Path(os.path.normpath(location)).parts[:1] == ("..",):
        raise error("EK106", f"{what} lies outside of the folder of the model", where=where)
    file = path.parent / location
    real = Path(os.path.realpath(file))
    root = next((r for r in roots if real.is_relative_to(r)), None)
    if root is None:
        raise error(
            "EK106",
            f"{what} is a link that leaves the folder of the model",
            where=where,
            notes=[f"it leads to `{real}`"],
            help="copy the file into the folder",
        )
    offset, length = _range(tensor, file, what, where)
    return ir.ExternalTensor(
        str(real.relative_to(root)),
        offset,
        length,
        tensor.dtype,
        shape=tensor.shape,
        name=tensor.name,
        doc_string=tensor.doc_string,
        base_dir=root,
    )


def _range(tensor: ir.ExternalTensor, file: Path, what: str, where: Where) -> tuple[int, int]:
    """Returns offset and length of the data of a tensor, in bytes."""
    try:
        status = file.stat()
    except (FileNotFoundError, NotADirectoryError):
        raise _missing(file, what, where) from None
    except OSError as failure:
        raise error(
            "EK105", f"{what} cannot be opened: {(failure.strerror or '').lower()}", where=where
        ) from None
    if not stat.S_ISREG(status.st_mode):
        raise error("EK105", f"{what} is not a regular file", where=where)
    if not os.access(file, os.R_OK):
        raise error("EK105", f"{what} cannot be opened: permission denied", where=where)
    if status.st_nlink > 1:
        # A hard link may be another name of a file from anywhere; onnx_ir refuses it on use.
        raise error("EK106", f"{what} has {status.st_nlink} hard links", where=where, help=_ALONE)
    offset, need = tensor.offset or 0, tensor.nbytes
    length = need if tensor.length is None else tensor.length
    if length != need:
        raise error("EK105", f"{what} is {length} bytes long, its shape needs {need}", where=where)
    if offset + length > status.st_size:
        message = f"{what} ends at byte {offset + length}, the file has {status.st_size}"
        raise error("EK105", message, where=where, help="fetch or export the data file again")
    return offset, length


def _missing(file: Path, what: str, where: Where) -> EdgekitError:
    names = [p.name for p in file.parent.iterdir()] if file.parent.is_dir() else []
    return error("EK105", f"{what} does not exist", where=where, help=files.similar(file.name, names))
