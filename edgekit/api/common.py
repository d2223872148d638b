"""What the functions of the API share."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edgekit.target import Target


Progress = Callable[[str], None]
"""Called with the name of each stage as it starts."""


def chip_of(target: str | Path) -> Target:
    """Returns a target by its id or path.

    Raises:
        EdgekitError: EK207 or EK208 if there is none, or it is not valid.
    """
    from edgekit.compat.targets import target as load_target

    return load_target(target)


@contextlib.contextmanager
def no_collection() -> Iterator[None]:
    """Puts the collection of cycles off: it walks all of a graph that is still being built, for nothing."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
