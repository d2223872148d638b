"""Facts of emitted ops, one class per dialect."""

from __future__ import annotations

from edgekit.compat.facts.base import Facts, Pair
from edgekit.compat.facts.tflite import TFLiteFacts
from edgekit.lowering.ledger import Emitted

_DIALECTS: dict[str, type[Facts]] = {"tflite": TFLiteFacts}


def facts_of(emitted: Emitted, dialect: str) -> Facts:
    """Returns the facts of an op.

    Args:
        emitted: The op.
        dialect: Whose names it has: `tflite`, `onnx` or `coreml`.
    """
    return _DIALECTS[dialect](emitted)


__all__ = ["Facts", "Pair", "facts_of"]
