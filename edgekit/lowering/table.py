"""The table of lowerings of one backend: newest implementation not above the model's opset."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

Lowering = Callable[[Any, Any], Any]
"""`(builder, op) -> Value | tuple[Value | None, ...]`."""


class LoweringTable:
    """Maps (domain, op type, opset) to a lowering.

    Attributes:
        backend: Name of the backend that the table belongs to.
    """

    def __init__(self, backend: str) -> None:
        self.backend = backend
        self._rows: dict[tuple[str, str], dict[int, Lowering]] = {}

    def lowers(self, *op_types: str, since: int, domain: str = "") -> Callable[[Lowering], Lowering]:
        """Registers the decorated function for ops of the given types.

        Args:
            op_types: ONNX op types, one or several that share the function.
            since: The opset version whose semantics the function implements.
            domain: The operator domain; empty is ai.onnx.

        Raises:
            ValueError: If an op of that version is registered already.
        """

        def register(function: Lowering) -> Lowering:
            for op_type in op_types:
                versions = self._rows.setdefault((domain, op_type), {})
                if since in versions:
                    raise ValueError(f"{self.backend}: `{op_type}` since {since} is registered twice")
                versions[since] = function
            return function

        return register

    def find(self, op_type: str, version: int, domain: str = "") -> Lowering | None:
        """Returns the newest lowering whose `since` is not above `version`, or `None`.

        An older model is never served by a newer lowering: semantics change between versions.
        """
        versions = self._rows.get((domain, op_type), {})
        fitting = [since for since in versions if since <= version]
        return versions[max(fitting)] if fitting else None

    def __iter__(self) -> Iterator[tuple[str, str, int]]:
        """Iterates over (domain, op type, since), sorted."""
        return iter(sorted((d, t, s) for (d, t), versions in self._rows.items() for s in versions))
