"""Imports coremltools without the frameworks that it would drag in."""

from __future__ import annotations

import contextlib
import importlib.machinery
import io
import logging
import sys
from collections.abc import Iterator, Sequence
from functools import cache
from types import ModuleType
from typing import Any

from edgekit.diagnostics import missing_package

FRAMEWORKS = ("tensorflow", "torch", "executorch", "xgboost", "sklearn")
"""What coremltools imports when it finds it, for converters that are not used here."""


@cache
def coremltools() -> Any:
    """Returns the package `coremltools`.

    Its import takes one second when TensorFlow and PyTorch stay out, eight seconds with them.

    Raises:
        EdgekitError: EK501 if it is not installed.
    """
    try:
        with _without(FRAMEWORKS), quiet():
            import coremltools
    except ImportError:
        raise missing_package("coremltools", "coreml", "writing Core ML packages") from None
    return coremltools


@cache
def mil() -> Any:
    """Returns `coremltools.converters.mil.mil`, which holds `Builder`, `Function`, `Program` and `types`."""
    coremltools()
    import coremltools.converters.mil.mil as package

    return package


def optimizers() -> Any:
    """Returns `coremltools.optimize.coreml`."""
    coremltools()
    import coremltools.optimize.coreml as package

    return package


def model_proto() -> Any:
    """Returns the class of the protobuf message that an `.mlmodel` file holds."""
    coremltools()
    from coremltools.proto import Model_pb2

    return Model_pb2.Model


class _Blocker:
    """A finder that denies the import of packages."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = frozenset(names)

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Denies the packages; leaves everything else to the finders that follow."""
        if name.partition(".")[0] in self.names:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return None


@contextlib.contextmanager
def _without(names: Sequence[str]) -> Iterator[None]:
    """Denies the import of packages that this process has not loaded; those it has loaded stay."""
    blocker = _Blocker([n for n in names if n not in sys.modules])
    sys.meta_path.insert(0, blocker)
    try:
        yield
    finally:
        sys.meta_path.remove(blocker)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Silences what coremltools logs about the absence of macOS and of frameworks, and its progress bars."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            yield
    finally:
        logging.disable(before)
