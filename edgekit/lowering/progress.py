"""`Share`: the name of a stage of long work, and how much of it is done."""

from __future__ import annotations

from typing import Self


class Share(str):
    """A text like any other for who only shows the stage.

    Attributes:
        done: The share that is done, 0 to 1.
    """

    done: float

    def __new__(cls, text: str, done: float) -> Self:
        """Makes a text with a share."""
        made = super().__new__(cls, text)
        made.done = min(1.0, max(0.0, done))
        return made
