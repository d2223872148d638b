"""Text fields: protobuf hands them out as bytes where the UTF-8 of the file is broken."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from edgekit.diagnostics import error

_STRING = 9
_MESSAGE = 11
_APART = frozenset(
    {"GraphProto", "NodeProto", "FunctionProto", "TensorProto", "SparseTensorProto", "TrainingInfoProto"}
)
"""Messages that are checked on their own; the tensors because listing their fields copies the data."""

_MAX_DEPTH = 32


def broken_texts(message: Any, depth: int = 0) -> Iterator[bytes]:
    """Yields every text in a message that is not UTF-8, also in the messages in it.

    Raises:
        EdgekitError: EK107 when messages are nested deeper than any valid model needs.
    """
    if depth > _MAX_DEPTH:
        raise error("EK107", f"types are nested deeper than {_MAX_DEPTH} levels")
    for field, value in message.ListFields():
        kind = field.type
        if kind == _STRING:
            if isinstance(value, bytes):
                yield value
            elif not isinstance(value, str):
                yield from (text for text in value if isinstance(text, bytes))
        elif kind == _MESSAGE and field.message_type.name not in _APART:
            for part in [value] if hasattr(value, "ListFields") else value:
                yield from broken_texts(part, depth + 1)
