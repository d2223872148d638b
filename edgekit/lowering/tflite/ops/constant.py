"""Constant nodes that are not initializers already."""

from __future__ import annotations

import numpy as np

from edgekit.lowering.ledger import Value
from edgekit.lowering.op import Op
from edgekit.lowering.tflite.builder import TFLiteBuilder
from edgekit.lowering.tflite.table import lowers

_NUMBERS = {
    "value_float": np.float32,
    "value_floats": np.float32,
    "value_int": np.int64,
    "value_ints": np.int64,
}


@lowers("Constant", since=1)
def constant(b: TFLiteBuilder, n: Op) -> Value:
    """Constant -> a constant tensor."""
    tensor = n.attr("value")
    if tensor is not None:
        return b.const(tensor.numpy())
    name = next(iter(n.attrs))
    if name not in _NUMBERS:
        n.refuse(f"a constant given as `{name}`")
    return b.const(n.attr(name), _NUMBERS[name])
