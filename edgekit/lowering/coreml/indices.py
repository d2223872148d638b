"""Indices: ONNX counts negative ones from the end; here they all count from the front."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgekit.lowering.coreml import sizes as sz
from edgekit.lowering.coreml.bounds import Interval
from edgekit.lowering.coreml.builder import CoreMlBuilder
from edgekit.lowering.ledger import Value


def from_front(b: CoreMlBuilder, indices: Value, size: sz.Size | Sequence[sz.Size]) -> Value:
    """Makes indices int32 and count from the front.

    Args:
        b: The builder.
        indices: Integers.
        size: Length of the axis that they point into; several for coordinates along the last axis.
    """
    places = b.int32(indices)
    if b.interval(indices).low >= 0:
        return places
    lengths = sz.pack(b, size) if isinstance(size, Sequence) else sz.scalar(b, size)
    if places.data is not None and lengths.data is not None:
        return b.const(np.where(places.data < 0, places.data + lengths.data, places.data), np.int32)
    shifted = b.binary("add", places, lengths)
    made = b.select(b.binary("less", places, b.ints(0)), shifted, places)
    return b.bounded(made, Interval(0, 2**31 - 1))
