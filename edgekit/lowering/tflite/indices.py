"""Indices: ONNX counts negative ones from the end, LiteRT takes only those from the front."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgekit.lowering.ledger import Value
from edgekit.lowering.tflite import sizes as sz
from edgekit.lowering.tflite.builder import TFLiteBuilder


def from_front(b: TFLiteBuilder, indices: Value, size: sz.Size | Sequence[sz.Size]) -> Value:
    """Makes indices count from the front.

    Args:
        b: The builder.
        indices: int32 or int64.
        size: Length of the axis that they point into; several for coordinates along the last axis.

    Returns:
        The indices in their own dtype; those that are out of range stay out of range.
    """
    lengths = b.cast(_lengths(b, size), indices.dtype)
    if indices.data is not None and not (indices.data < 0).any():
        return indices
    if indices.data is not None and lengths.data is not None:
        return b.const(np.where(indices.data < 0, indices.data + lengths.data, indices.data), indices.dtype)
    zero = b.const(0, indices.dtype)
    shifted = b.binary("ADD", indices, lengths)
    return b.op("SELECT_V2", [b.binary("LESS", indices, zero), shifted, indices])


def _lengths(b: TFLiteBuilder, size: sz.Size | Sequence[sz.Size]) -> Value:
    if isinstance(size, Sequence):
        return sz.pack(b, size)
    return sz.scalar(b, size)
