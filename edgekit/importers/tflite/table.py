"""The table of translations: from one TFLite op to nodes of the hub."""

from __future__ import annotations

import functools
import importlib
import pkgutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import onnx_ir as ir

if TYPE_CHECKING:
    from edgekit.importers.tflite.call import Call

Translate = Callable[["Call"], "ir.Value | Sequence[ir.Value]"]
"""Makes the nodes of one op and returns its results, in TFLite's order and layout."""


class Untranslatable(Exception):  # noqa: N818 - a verdict, not a failure of the program
    """An op has no form in the hub; the text says why."""


@dataclass(frozen=True, slots=True)
class Translation:
    """One row of the table.

    Attributes:
        make: Makes the nodes.
        on_codes: Whether it reads and gives stored integers and not the reals that they stand for.
    """

    make: Translate
    on_codes: bool = False


TABLE: dict[str, Translation] = {}
"""Every translation by TFLite's name of the op; `load_ops` fills it."""


def translates(*names: str, on_codes: bool = False) -> Callable[[Translate], Translate]:
    """Registers the decorated function as the translation of ops.

    Args:
        names: TFLite's names of builtin ops.
        on_codes: Whether operands and results are stored integers where a tensor is quantised.
    """

    def register(make: Translate) -> Translate:
        for name in names:
            if name in TABLE:
                raise ValueError(f"`{name}` is translated twice")
            TABLE[name] = Translation(make, on_codes)
        return make

    return register


@functools.cache
def load_ops() -> None:
    """Imports the families of ops; they register themselves."""
    package = importlib.import_module("edgekit.importers.tflite.ops")
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"{package.__name__}.{module.name}")
