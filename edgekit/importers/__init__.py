"""Importers: files and live models of every framework become a `Model` of the hub IR.

A module named `*_file` or `*_model` registers the importer of one format; the others help them.
"""

from __future__ import annotations

import functools
import importlib
import os
import pkgutil
from pathlib import Path
from typing import Any

from edgekit.diagnostics import Where, error
from edgekit.importers import factory, files
from edgekit.importers.input_shapes import fix_shapes
from edgekit.importers.registry import IMPORTERS, Importer, Request, imports, is_live
from edgekit.ir import Model

__all__ = ["IMPORTERS", "Importer", "Request", "fix_shapes", "imports", "is_live", "load"]


def load(
    source: Any,
    *,
    example_inputs: Any = None,
    allow_pickle: bool = False,
    dynamic_shapes: Any = None,
) -> Model:
    """Imports a model.

    Args:
        source: A path; an `onnx.ModelProto`; a `torch.nn.Module` (with `example_inputs`, also as the
            pair `(module, example_inputs)`); a `torch.export.ExportedProgram`; a `keras.Model`; or
            `"package.module:factory"`, whose factory returns one of these.
        example_inputs: A tuple of positional inputs for a live PyTorch module.
        allow_pickle: Accept files whose loading runs code stored in them.
        dynamic_shapes: Which sizes stay symbolic, as `torch.export` takes them.

    Returns:
        The model in the hub IR; every node carries its origin.

    Raises:
        EdgekitError: EK1xx when the source cannot be read, EK202 when an option has no meaning for
            the format, EK501 when a package for the format is not installed.
    """
    load_importers()
    if isinstance(source, str) and factory.is_spec(source):
        source = factory.call(source)
    if isinstance(source, tuple) and len(source) == 2:
        source, own_inputs = source
        example_inputs = own_inputs if example_inputs is None else example_inputs
    if isinstance(source, str | os.PathLike):
        source = Path(source)
        importer = _for_path(source)
    else:
        importer = _for_object(source)
    request = Request(source, example_inputs, allow_pickle, dynamic_shapes)
    _check_options(importer, request)
    return importer.load(request)


@functools.cache
def load_importers() -> None:
    """Imports the modules of this package that hold an importer; they register themselves."""
    names = (module.name for module in pkgutil.iter_modules(__path__))
    for name in (n for n in names if n.endswith(("_file", "_model"))):
        importlib.import_module(f"{__name__}.{name}")


def _for_path(path: Path) -> Importer:
    files.require_exists(path)
    if path.is_dir():
        found = next((i for i in IMPORTERS.values() if i.accepts(path)), None)
        problem = f"`{path}` is a folder, not a model file"
    else:
        found = next((i for i in IMPORTERS.values() if path.suffix.lower() in i.suffixes), None)
        problem = f"`{path}` has no suffix of a known format"
    if found is not None:
        return found
    known = ", ".join(f"`{s}`" for i in IMPORTERS.values() for s in i.suffixes)
    raise error("EK102", problem, where=Where(file=str(path)), notes=[f"known suffixes: {known}"])


def _for_object(source: Any) -> Importer:
    found = next((i for i in IMPORTERS.values() if i.accepts(source)), None)
    if found is not None:
        return found
    kind = f"{type(source).__module__}.{type(source).__qualname__}"
    raise error("EK102", f"an object of type `{kind}` is not a model of a known framework")


def _check_options(importer: Importer, request: Request) -> None:
    for option in ("example_inputs", "dynamic_shapes"):
        if getattr(request, option) is not None and option not in importer.options:
            raise error("EK202", f"`{option}` has no meaning for a model in the format `{importer.name}`")
