"""The table of kernels; importing the package's files fills it."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Kernel:
    """A kernel of the dialect.

    Attributes:
        make: Takes the operands and the attributes as keywords, gives one tensor or several.
        sizes: Positions of operands that are sizes: `make` gets them as a list of integer expressions.
        relax: Whether `make` takes and gives expressions of Relax instead of tensor expressions.
    """

    make: Callable[..., Any]
    sizes: tuple[int, ...] = ()
    relax: bool = False


_KERNELS: dict[str, Kernel] = {}


def kernel(
    name: str, *, sizes: tuple[int, ...] = (), relax: bool = False
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Registers the decorated function as a kernel; see `Kernel`."""

    def register(make: Callable[..., Any]) -> Callable[..., Any]:
        if name in _KERNELS:
            raise ValueError(f"the kernel `{name}` is registered twice")
        _KERNELS[name] = Kernel(make, sizes, relax)
        return make

    return register


def load_kernels() -> Mapping[str, Kernel]:
    """Imports every file of the package and returns the filled table."""
    package = importlib.import_module("edgekit.lowering.tvm.kernels")
    for module in pkgutil.iter_modules(package.__path__, package.__name__ + "."):
        importlib.import_module(module.name)
    return _KERNELS
