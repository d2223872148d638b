"""Cutting a tensor into equal parts along an axis, and joining them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgekit.lowering.coreml.builder import CoreMlBuilder
from edgekit.lowering.ledger import Value


def split(b: CoreMlBuilder, x: Value, count: int, axis: int) -> list[Value]:
    """Cuts an axis into parts of one size."""
    if count == 1:
        return [x]
    if x.data is not None:
        return [b.const(part) for part in np.split(x.data, count, axis)]
    return list(b.multi("split", x=x, num_splits=count, axis=axis, dtypes=[x.dtype] * count))


def stack(b: CoreMlBuilder, values: Sequence[Value], axis: int) -> Value:
    """Joins values along a new axis."""
    return b.concat([b.expand_dims(v, [axis]) for v in values], axis)
