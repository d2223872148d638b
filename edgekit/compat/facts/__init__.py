"""Facts of emitted ops, one class per dialect."""

from __future__ import annotations

from functools import cache

from edgekit.compat.facts.base import Facts, Pair
from edgekit.lowering.ledger import Emitted


def facts_of(emitted: Emitted, dialect: str) -> Facts:
    """Returns the facts of an op.

    Args:
        emitted: The op.
        dialect: Whose names it has: `tflite`, `onnx` or `coreml`.
    """
    return facts_class(dialect)(emitted)


@cache
def facts_class(dialect: str) -> type[Facts]:
    """Imports a dialect only when an op of it is judged."""
    if dialect == "tflite":
        from edgekit.compat.facts.tflite import TFLiteFacts

        return TFLiteFacts
    if dialect == "onnx":
        from edgekit.compat.facts.onnx import OnnxFacts

        return OnnxFacts
    if dialect == "coreml":
        from edgekit.compat.facts.coreml import CoreMlFacts

        return CoreMlFacts
    raise KeyError(dialect)


__all__ = ["Facts", "Pair", "facts_class", "facts_of"]
