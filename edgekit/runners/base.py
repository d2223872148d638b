"""`Runner`: runs a model file on numpy arrays; and the check of what it is given.

This module and all that a worker process imports stay light: no hub IR, no runtime at the top.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

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
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
