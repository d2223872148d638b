"""The table of importers: what turns a file, a folder or a live object into a `Model`.

A new importer is one file in this package, named `*_file` or `*_model`, with one decorated function:

    @imports("onnx", suffixes=(".onnx",), accepts=_is_proto)
    def load_onnx(request: Request) -> Model: ...
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from edgekit.diagnostics import error
from edgekit.ir import Model


@dataclass(frozen=True, slots=True)
class Request:
    """What a caller asks an importer for.

    Attributes:
        source: A `Path` to an existing file or folder, or a live object.
        example_inputs: Positional inputs that a live module is traced with.
        allow_pickle: Whether code stored in the file may run.
        dynamic_shapes: Which sizes stay symbolic, in the form the framework's exporter takes.
    """

    source: Any
    example_inputs: Any = None
    allow_pickle: bool = False
    dynamic_shapes: Any = None

    @property
    def path(self) -> Path | None:
        """The source when it is a path."""
        return self.source if isinstance(self.source, Path) else None


@dataclass(frozen=True, slots=True)
class Importer:
    """One row of the table.

    Attributes:
        name: The format, as it is called in `Model.source` and in messages.
        suffixes: File name endings that it reads, lower case, with the dot.
        accepts: Says whether it takes a live object or a folder; imports nothing heavy.
        options: Fields of `Request` beyond `source` that have a meaning for it.
        load: Builds the model.
    """

    name: str
    suffixes: tuple[str, ...]
    accepts: Callable[[Any], bool]
    options: frozenset[str]
    load: Callable[[Request], Model]


_TABLE: dict[str, Importer] = {}
IMPORTERS: Mapping[str, Importer] = MappingProxyType(_TABLE)
"""Every registered importer by name. `edgekit.importers` fills it with those of this package."""

Loader = Callable[[Request], Model]


def imports(
    name: str,
    *,
    suffixes: tuple[str, ...] = (),
    accepts: Callable[[Any], bool] = lambda _: False,
    options: tuple[str, ...] = (),
) -> Callable[[Loader], Loader]:
    """Registers the decorated function as the importer of a format.

    Args:
        name: The format.
        suffixes: File name endings that it reads.
        accepts: Says whether it takes a live object or a folder (a `Path`).
        options: Fields of `Request` that it uses; any other that a caller gives is an error.

    Raises:
        EdgekitError: EK201 when the name or a suffix is taken.
    """

    def register(load: Loader) -> Loader:
        for other in _TABLE.values():
            clash = set(suffixes) & set(other.suffixes)
            if other.name == name or clash:
                what = f"`{name}`" if other.name == name else f"`{min(clash)}`"
                raise error("EK201", f"two importers register {what}", notes=[f"`{other.name}`, `{name}`"])
        _TABLE[name] = Importer(name, suffixes, accepts, frozenset(options), load)
        return load

    return register


def is_live(value: object, module: str, name: str) -> bool:
    """Says whether a value is an instance of a class, without importing the module of the class.

    Args:
        value: Any object.
        module: The module that owns the class; when nobody imported it, no instance can exist.
        name: The name of the class in it.
    """
    loaded = sys.modules.get(module)
    owner = getattr(loaded, name, None)
    return isinstance(owner, type) and isinstance(value, owner)
