"""Elementwise ops commute with every permutation; constants are permuted with them."""

from __future__ import annotations

import numpy as np

from edgekit.lowering.ledger import Emitted, Value
from edgekit.lowering.tflite.layout.lemma import Rewrite, uniform
from edgekit.lowering.tflite.layout.perm import Perm, identity


@uniform(
    "ABS", "NEG", "SQUARE", "CEIL", "FLOOR", "ROUND", "EXP", "LOG", "SQRT", "RSQRT", "SIN", "COS", "TANH",
    "LOGISTIC", "RELU", "RELU6", "RELU_N1_TO_1", "RELU_0_TO_1", "ELU", "HARD_SWISH", "LOGICAL_NOT",
    "ZEROS_LIKE", "SIGN", "GELU", "LEAKY_RELU", "ADD", "SUB", "MUL", "DIV", "POW", "FLOOR_DIV", "FLOOR_MOD",
    "SQUARED_DIFFERENCE", "LOGICAL_AND", "LOGICAL_OR", "ATAN2", "BITWISE_XOR", "RIGHT_SHIFT", "PRELU",
    "MAXIMUM", "MINIMUM", "EQUAL", "NOT_EQUAL", "LESS", "LESS_EQUAL", "GREATER", "GREATER_EQUAL",
    "SELECT_V2", "CAST",
)  # fmt: skip
def elementwise(op: Emitted, perm: Perm) -> Rewrite | None:
    """`T(f(x, y)) = f(T(x), T(y))`, broadcasting included."""
    inputs: list[Perm | None] = []
    operands: dict[int, Value] = {}
    for index, value in enumerate(op.inputs):
        assert value is not None
        if value.data is not None:
            operands[index] = _permuted(value, perm)
            inputs.append(None)
        elif value.rank == len(perm):
            inputs.append(perm)
        elif all(d == 1 for d in value.shape) or perm == identity(len(perm)):
            inputs.append(None)
        else:
            return None  # a run-time operand of lower rank would need a reshape first
    return Rewrite(tuple(inputs), tuple(perm for _ in op.outputs), operands)


def _permuted(value: Value, perm: Perm) -> Value:
    """Permutes a constant after aligning it to the rank of the result."""
    data = value.data
    assert data is not None
    if data.size == 1 or perm == identity(len(perm)):
        return value
    aligned = data.reshape((1,) * (len(perm) - data.ndim) + data.shape)
    moved = np.ascontiguousarray(aligned.transpose(perm))
    return Value(moved.dtype, moved.shape, moved, value.quant)
