"""What the processes that search and measure tell each other."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Argument:
    """What a function takes: a tensor, or the number 1 if `shape` is None."""

    shape: tuple[int, ...] | None
    dtype: str = "int64"


@dataclass(frozen=True)
class Function:
    """A shared library with one function, `main`, and what that takes."""

    library: bytes
    arguments: tuple[Argument, ...]


@dataclass(frozen=True)
class Answer:
    """Microseconds of one call of each function; None if it cannot be run."""

    rule: float | None
    candidate: float | None
