"""Rules on weights and biases: their sums, values and shapes."""

from __future__ import annotations

import numpy as np

from edgekit.compat.facts import Facts
from edgekit.compat.finding import Finding, fails
from edgekit.compat.rules.registry import rule


@rule("weight-sum")
def weight_sum(op: Facts, *, high: int) -> Finding | None:
    """the absolute weights of an output channel, less their zero point, must sum to at most {high}"""
    value = op.roles.get("weights")
    if value is None or value.data is None or value.data.dtype.kind not in "iu":
        return None
    data = value.data
    channels = -1 if op.name == "DEPTHWISE_CONV_2D" else 0
    count = data.shape[channels] if data.ndim else 1
    if 255 * data.size < high * max(count, 1):
        return None  # no weights of 8 bits can reach it
    quant = op.quant(value)
    zero = np.asarray((0,) if quant is None else quant.zero_point, np.int64)
    rows = np.moveaxis(data.astype(np.int64), channels, 0).reshape(count, -1)
    largest = int(np.abs(rows - (zero.reshape(-1, 1) if zero.size == count else zero[0])).sum(axis=1).max())
    return fails(f"a sum of {largest}") if largest > high else None


@rule("weights-matrix")
def weights_matrix(op: Facts) -> Finding | None:
    """weights must be a matrix: all axes but the first and the last must have size 1"""
    value = op.roles.get("weights")
    if value is None:
        return None
    shape = value.shape
    if len(shape) < 2 or any(d != 1 for d in shape[1:-1]):
        return fails(f"weights of shape {list(shape)}")
    return None


@rule("bias-vector")
def bias_vector(op: Facts) -> Finding | None:
    """the elements of a bias must lie along its last axis"""
    value = op.roles.get("bias")
    if value is not None and any(d != 1 for d in value.shape[:-1]):
        return fails(f"bias of shape {list(value.shape)}")
    return None


@rule("bias-at-most")
def bias_at_most(op: Facts, *, dtypes: tuple[str, ...], high: int) -> Finding | None:
    """elements of a bias of dtype {dtypes} must be at most {high}"""
    value = op.roles.get("bias")
    if value is None or value.data is None or op.dtype(value) not in dtypes or not value.data.size:
        return None
    largest = int(value.data.max())
    return fails(f"bias {largest}") if largest > high else None
