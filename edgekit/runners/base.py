"""`Runner`: runs a model file on numpy arrays; and the check of what it is given.

This module and all that a worker process imports stay light: no hub IR, no runtime at the top.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from edgekit.diagnostics import Diagnostic, EdgekitError, error

Array = NDArray[Any]
Payload = bytes | Path
"""A serialised model, or the file that holds it (needed for external data and above 2 GB)."""

ALL_INTERMEDIATES = ("*",)
"""Asks a runner for every tensor that it can observe."""


@dataclass(frozen=True, slots=True)
class Port:
    """An input or output as the runtime declares it.

    Attributes:
        name: The tensor's name in the file.
        dtype: Its numpy (or ml_dtypes) dtype; `object` for strings.
        shape: Sizes; `None` where the caller chooses. `None` in all: unknown rank.
        alias: The name in the file's signature, where that differs.
    """

    name: str
    dtype: np.dtype[Any]
    shape: tuple[int | None, ...] | None
    alias: str | None = None


@dataclass(frozen=True, slots=True)
class Ports:
    """What a model file takes and gives.

    Attributes:
        inputs: Those that the caller must give, in the file's order.
        outputs: In the file's order.
    """

    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]


class Runner(Protocol):
    """Runs model files; keeps the last one loaded until `close`."""

    @property
    def name(self) -> str:
        """The runtime's name."""
        ...

    @property
    def version(self) -> str:
        """The runtime's version."""
        ...

    @property
    def caveat(self) -> str | None:
        """What it says less about a device than the device's own runtime would; `None` if it is that."""
        ...

    def ports(self, payload: Payload) -> Ports:
        """Loads a model and returns what it takes and gives.

        Raises:
            EdgekitError: EK503 if the runtime refuses the model, EK502 if it died, EK504 if it hangs.
        """
        ...

    def run(
        self, payload: Payload, inputs: Mapping[str, Array], *, intermediates: Sequence[str] = ()
    ) -> dict[str, Array]:
        """Runs a model once.

        Args:
            payload: The model.
            inputs: One array for each input, by its name or its signature's name.
            intermediates: Further tensors to return, by name; those that the runtime cannot
                observe are absent from the result. `ALL_INTERMEDIATES` asks for all.

        Returns:
            Copies of all outputs and of the intermediates, by name. NaN and infinities are kept.

        Raises:
            EdgekitError: EK505 naming everything wrong with the inputs; EK503 if the runtime refuses
                the model or fails on it; EK502 if it died; EK504 if it hangs.
        """
        ...

    def close(self) -> None:
        """Releases the model and the runtime.

        Raises:
            EdgekitError: EK502 if the runtime dies of it: what it computed is then not to be trusted.
        """
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, raised: BaseException | None, trace: TracebackType | None
    ) -> None: ...


@dataclass(frozen=True, slots=True, eq=False)
class Held:
    """Remembers which model is loaded, so that the next call need not load it again.

    Attributes:
        payload: The model; held, so that the identity of bytes stays its own.
        stamp: Time (ns) and size (bytes) of a file when it was loaded.
    """

    payload: Payload
    stamp: tuple[int, int] | None

    @classmethod
    def of(cls, payload: Payload) -> Self:
        """Describes a model that is about to be loaded."""
        return cls(payload, _stamp(payload))

    def is_still(self, payload: Payload) -> bool:
        """Tells whether a model is the one that was loaded."""
        if isinstance(payload, bytes) or isinstance(self.payload, bytes):
            return payload is self.payload
        return payload == self.payload and _stamp(payload) == self.stamp


def _stamp(payload: Payload) -> tuple[int, int] | None:
    if isinstance(payload, bytes):
        return None
    try:
        status = payload.stat()
    except OSError:
        return None  # whoever loads it reports that
    return status.st_mtime_ns, status.st_size


def missing_runtime(package: str, needed_for: str) -> EdgekitError:
    """Builds the error for a runtime of the base install that cannot be imported (exit 4)."""
    return error(
        "EK501",
        f"{needed_for} needs the package `{package}`, which cannot be imported",
        help=f"pip install {package}",
        data={"package": package},
    )


class RunnerBase(ABC):
    """What all runners share: they are context managers and know their package."""

    name: str
    package: str
    """The distribution that brings the runtime."""
    caveat: str | None = None
    """See `Runner`."""

    @property
    def version(self) -> str:
        """The version of the runtime's package; `missing` if it is not installed."""
        from importlib import metadata  # slow to import, and a worker never asks

        try:
            return metadata.version(self.package)
        except metadata.PackageNotFoundError:
            return "missing"

    @abstractmethod
    def close(self) -> None:
        """Releases the model."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, raised: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def check_inputs(ports: Sequence[Port], inputs: Mapping[str, Array]) -> dict[str, Array]:
    """Holds what the caller gives against what a model takes.

    Args:
        ports: The model's inputs.
        inputs: Arrays by name or alias.

    Returns:
        The arrays by name, in the order of `ports`.

    Raises:
        EdgekitError: EK505, one diagnostic for everything that is wrong with one input.
    """
    keys = {port.alias: port.name for port in ports if port.alias} | {port.name: port.name for port in ports}
    given = {keys[key]: np.asarray(array) for key, array in inputs.items() if key in keys}
    problems = [_unknown(key, ports) for key in inputs if key not in keys]
    problems += [d for port in ports for d in _misfit(port, given.get(port.name))]
    if problems:
        raise EdgekitError(*problems)
    return {port.name: given[port.name] for port in ports}


def _unknown(key: str, ports: Sequence[Port]) -> Diagnostic:
    names = ", ".join(f"`{port.name}`" for port in ports) or "none"
    return Diagnostic("EK505", f"the model has no input `{key}`", notes=(f"its inputs: {names}",))


def _misfit(port: Port, array: Array | None) -> list[Diagnostic]:
    if array is None:
        message = f"the input `{port.name}` is missing: {_dtype_text(port.dtype)} {_shape_text(port.shape)}"
        return [Diagnostic("EK505", message)]
    wrong = []
    if _dtype_text(array.dtype) != _dtype_text(port.dtype):
        wrong.append(f"dtype {_dtype_text(array.dtype)} instead of {_dtype_text(port.dtype)}")
    if not _fits(array.shape, port.shape):
        wrong.append(f"shape {_shape_text(array.shape)} instead of {_shape_text(port.shape)}")
    if not wrong:
        return []
    return [Diagnostic("EK505", f"the input `{port.name}` has {' and '.join(wrong)}")]


def _fits(shape: tuple[int, ...], wanted: tuple[int | None, ...] | None) -> bool:
    if wanted is None:
        return True
    return len(shape) == len(wanted) and all(w is None or s == w for s, w in zip(shape, wanted, strict=True))


def _dtype_text(dtype: np.dtype[Any]) -> str:
    return "string" if dtype.kind in "OUS" else str(dtype)


def _shape_text(shape: tuple[int | None, ...] | None) -> str:
    if shape is None:
        return "of any rank"
    return "[" + ", ".join("?" if size is None else str(size) for size in shape) + "]"
