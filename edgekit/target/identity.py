"""`Same`: lets what cannot be hashed be a key, by being the same object."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, eq=False)
class Same:
    """A key that equals another one of the same object.

    Attributes:
        value: The object; the key keeps it alive, so that its identity is not given to another.
    """

    value: Any

    def __hash__(self) -> int:
        return id(self.value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Same) and other.value is self.value
