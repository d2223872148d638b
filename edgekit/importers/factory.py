"""`package.module:factory`: builds a live model by calling a function of the user's code."""

from __future__ import annotations

import contextlib
import importlib
import re
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from edgekit.diagnostics import EdgekitError, Where, error

_SPEC = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")


def is_spec(text: str) -> bool:
    """Says whether a string names a factory; a file of that very name wins."""
    return _SPEC.fullmatch(text) is not None and not Path(text).exists()


def call(spec: str) -> Any:
    """Imports the module, with the current folder on the path, and calls the factory.

    Args:
        spec: `package.module:factory`; the factory takes no arguments.

    Returns:
        What the factory returns: a live model, or a pair of it and its example inputs.

    Raises:
        EdgekitError: EK110 when the module cannot be imported, has no such function, or raises.
    """
    module_name, _, attribute = spec.partition(":")
    with _current_folder_on_path():
        try:
            value: Any = importlib.import_module(module_name)
        except Exception as failure:
            raise _failed(f"`{module_name}` cannot be imported", failure) from failure
        for name in attribute.split("."):
            if not hasattr(value, name):
                raise error("EK110", f"`{module_name}` has no `{attribute}`")
            value = getattr(value, name)
        if not callable(value):
            raise error("EK110", f"`{spec}` is not a function", help="name a function that returns the model")
        try:
            return value()
        except EdgekitError:
            raise
        except Exception as failure:
            raise _failed(f"`{spec}` raised `{type(failure).__name__}`", failure) from failure


@contextlib.contextmanager
def _current_folder_on_path() -> Iterator[None]:
    folder = str(Path.cwd())
    if folder in sys.path or "" in sys.path:
        yield
        return
    sys.path.insert(0, folder)
    try:
        yield
    finally:
        if folder in sys.path:
            sys.path.remove(folder)


def _failed(message: str, failure: Exception) -> EdgekitError:
    frames = [f for f in traceback.extract_tb(failure.__traceback__) if not f.filename.startswith("<frozen")]
    frames = [f for f in frames if Path(f.filename) != Path(__file__) and "importlib" not in f.filename]
    where = Where(file=frames[-1].filename, line=frames[-1].lineno) if frames else Where()
    return error("EK110", message, where=where, notes=[f"{type(failure).__name__}: {failure}"])
