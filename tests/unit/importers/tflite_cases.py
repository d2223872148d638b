"""TFLite files of one op, written with the backend's own writer and run by LiteRT."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from edgekit.ir import Quant
from edgekit.ir.ledger import Emitted, Subgraph, Value
from edgekit.lowering.tflite.emit import Signature, emit


def constant(data: Any, quant: Quant | None = None) -> Value:
    """A constant operand."""
    array = np.asarray(data)
    return Value(array.dtype, array.shape, array, quant)


def tensor(dtype: Any, *shape: int | None, quant: Quant | None = None) -> Value:
    """An operand that the caller gives, or a result."""
    return Value(np.dtype(dtype), shape, None, quant)


def file_of(
    op: str, inputs: Sequence[Value | None], outputs: Sequence[Value], attrs: Mapping[str, Any] | None = None
) -> bytes:
    """Writes a file with one op, whose inputs are `x0`, `x1`, and whose outputs are `y0`, `y1`."""
    given = tuple(dict.fromkeys(v for v in inputs if v is not None and v.data is None))
    graph = Subgraph(
        "main", given, tuple(outputs), (Emitted(op, tuple(inputs), tuple(outputs), attrs or {}),), {}
    )
    names = Signature(tuple(f"x{i}" for i in range(len(given))), tuple(f"y{i}" for i in range(len(outputs))))
    return emit(graph, names)[1]


def draw(rng: np.random.Generator, value: Value) -> np.ndarray[Any, Any]:
    """Data for an input: all integers, normal floats."""
    shape = [3 if d is None else d for d in value.shape]
    if value.dtype.kind == "b":
        return rng.integers(0, 2, shape).astype(bool)
    if value.dtype.kind in "iu":
        low, high = (np.iinfo(value.dtype).min, np.iinfo(value.dtype).max) if value.quant else (-9, 9)
        return rng.integers(low, high, shape, dtype=value.dtype, endpoint=True)
    return (rng.standard_normal(shape) * 2).astype(value.dtype)
