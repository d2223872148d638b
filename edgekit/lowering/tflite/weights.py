"""How the weights of ops that compute in float are stored: as floats, as integers, or in half precision.

LiteRT's DEQUANTIZE of a constant runs once, when the model is loaded. Hybrid kernels take the integers
themselves: they quantise each image or row of the activations to int8 and add up integer products.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import ml_dtypes
import numpy as np

from edgekit.lowering.ledger import Emitted, Subgraph, Value
from edgekit.lowering.tflite.grid import steps

STORAGES = ("plain", "dequantized", "hybrid", "float16")
_WEIGHTS: Mapping[str, int] = {
    "CONV_2D": 1, "DEPTHWISE_CONV_2D": 1, "FULLY_CONNECTED": 1, "TRANSPOSE_CONV": 1, "CONV_3D": 1,
    "BATCH_MATMUL": 1,
}  # fmt: skip
"""Where ops have their weights."""
_HYBRID: Mapping[str, int] = {"CONV_2D": 0, "DEPTHWISE_CONV_2D": 3, "FULLY_CONNECTED": 0}
"""Ops with hybrid kernels, and the axis along which these take scales of weights."""
_SMALLEST = 16
"""Constants with fewer elements stay as they are: an op more would cost more than it saves."""


def store_weights(graph: Subgraph, storage: str) -> Subgraph:
    """Stores the weights of the main graph otherwise; what they stand for does not change.

    Args:
        graph: The final graph.
        storage: One of `STORAGES`.

    Returns:
        The graph. Weights that have no exact form of this kind stay float32.
    """
    return graph if storage == "plain" else _Storing(storage).run(graph)


@dataclass(slots=True)
class _Storing:
    storage: str
    ops: list[Emitted] = field(default_factory=list)
    done: dict[Value, Value] = field(default_factory=dict)

    def run(self, graph: Subgraph) -> Subgraph:
        for op in graph.ops:
            self.ops.append(self._op(op))
        return replace(graph, ops=tuple(self.ops))

    def _op(self, op: Emitted) -> Emitted:
        place = _WEIGHTS.get(op.op)
        held = None if place is None else op.inputs[place]
        if place is None or held is None or held.data is None or held.dtype != np.float32:
            return op
        if held.data.size < _SMALLEST:
            return op
        made = _FORMS[self.storage](held)
        if made is None:
            return op
        if self.storage == "hybrid" and _is_hybrid(op, made):
            return _hybrid(op, place, made)
        return _with_operand(op, place, self._dequantized(op, held, made))

    def _dequantized(self, op: Emitted, held: Value, made: Value) -> Value:
        if held not in self.done:
            real = Value(held.dtype, held.shape)
            self.ops.append(Emitted("DEQUANTIZE", (made,), (real,), {}, op.origin))
            self.done[held] = real
        return self.done[held]


def _integers(value: Value) -> Value | None:
    """Returns the integers of a constant that lies on a grid around zero; int4 where they fit."""
    whole = steps(value)
    if whole is None or value.quant is None or any(value.quant.zero_point):
        return None
    largest = np.abs(whole).max(initial=0)
    if largest > 127:
        return None
    dtype = np.dtype(ml_dtypes.int4 if largest <= 7 else np.int8)
    return Value(dtype, value.shape, whole.astype(np.int8).astype(dtype), value.quant)


def _halves(value: Value) -> Value | None:
    assert value.data is not None
    with np.errstate(over="ignore"):
        half = value.data.astype(np.float16)
    return Value(half.dtype, value.shape, half) if (half == value.data).all() else None


_FORMS: Mapping[str, Callable[[Value], Value | None]] = {
    "dequantized": _integers,
    "hybrid": _integers,
    "float16": _halves,
}


def _is_hybrid(op: Emitted, weights: Value) -> bool:
    assert weights.quant is not None
    return op.op in _HYBRID and weights.quant.axis == _HYBRID[op.op]


def _hybrid(op: Emitted, place: int, weights: Value) -> Emitted:
    """Convolutions always take the range as it is; FULLY_CONNECTED would make it symmetric."""
    asymmetric = {"asymmetric_quantize_inputs": True} if op.op == "FULLY_CONNECTED" else {}
    made = _with_operand(op, place, weights)
    return replace(made, attrs={**op.attrs, **asymmetric})


def _with_operand(op: Emitted, place: int, value: Value) -> Emitted:
    return replace(op, inputs=tuple(value if i == place else v for i, v in enumerate(op.inputs)))
