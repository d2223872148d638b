"""`Stage`: one step of the logic around a model; and the table of their kinds."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar, TypeVar

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


class Unfit(Exception):  # noqa: N818 - about the data, not about the program
    """A stage was given what it cannot work on; the text says what it needs."""


@dataclass(frozen=True, slots=True)
class Stage(ABC):
    """One step of the logic around a model: parameters, and the reference that computes it.

    A subclass is a frozen dataclass whose fields are the parameters of the contract.
    """

    kind: ClassVar[str]
    """Its name in a contract."""

    @abstractmethod
    def apply(self, value: Array) -> Array:
        """Computes the step.

        Args:
            value: What the stage before gave.

        Raises:
            Unfit: If the step is not defined on it.
        """

    def parameters(self) -> Mapping[str, Any]:
        """Returns the parameters, as a contract would give them."""
        return {f.name: getattr(self, f.name) for f in fields(self)}


class Geometry(Stage):
    """A stage that resamples rows and columns, each by a matrix, up to rounding."""

    __slots__ = ()

    @abstractmethod
    def matrices(self, height: int, width: int) -> tuple[Array, Array]:
        """Returns the shares of input rows in output rows, and of columns in columns.

        A row of zeros is one that the stage fills with something else.

        Args:
            height: Of the input.
            width: Of the input.

        Raises:
            Unfit: If the step is not defined on that size.
        """


_KINDS: dict[str, type[Stage]] = {}
_S = TypeVar("_S", bound=type[Stage])


def stage(kind: str) -> Callable[[_S], _S]:
    """Enters a class into the table of kinds."""

    def enter(cls: _S) -> _S:
        if kind in _KINDS:
            raise ValueError(f"two stages are called `{kind}`")
        cls.kind = kind
        _KINDS[kind] = cls
        return cls

    return enter


def kinds() -> Mapping[str, type[Stage]]:
    """Returns the stages by their names in a contract."""
    import edgekit.pipeline.stages  # noqa: F401 - fills the table

    return dict(sorted(_KINDS.items()))


def need_image(value: Array, kind: str) -> None:
    """Refuses what is not an image of shape [height, width, channels].

    Raises:
        Unfit: If it is none.
    """
    if value.ndim != 3 or not value.size:
        raise Unfit(f"`{kind}` needs an image [height, width, channels], not {list(value.shape)}")


def to_uint8(value: Array) -> Array:
    """Rounds halves up and saturates, as image libraries do."""
    return np.clip(np.floor(value + 0.5), 0, 255).astype(np.uint8)
