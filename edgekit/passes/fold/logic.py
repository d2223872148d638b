"""Kernels of comparisons, Boolean and bitwise ops."""

from __future__ import annotations

import numpy as np

from edgekit.passes.fold.table import Array, Call, Decline, folds, require_plain

_BINARY = {
    "Equal": np.equal,
    "Greater": np.greater,
    "GreaterOrEqual": np.greater_equal,
    "Less": np.less,
    "LessOrEqual": np.less_equal,
    "And": np.logical_and,
    "Or": np.logical_or,
    "Xor": np.logical_xor,
    "BitwiseAnd": np.bitwise_and,
    "BitwiseOr": np.bitwise_or,
    "BitwiseXor": np.bitwise_xor,
}


@folds(*_BINARY)
def binary(call: Call) -> Array:
    """Compares or combines with broadcasting."""
    require_plain(*call.inputs)
    return _BINARY[call.node.op_type](call[0], call[1])


@folds("Not", "BitwiseNot")
def negate(call: Call) -> Array:
    """Negates each element, or each bit."""
    require_plain(call[0])
    return np.logical_not(call[0]) if call.node.op_type == "Not" else np.bitwise_not(call[0])


@folds("IsNaN")
def is_nan(call: Call) -> Array:
    """True where the element is NaN."""
    require_plain(call[0])
    return np.isnan(call[0])


@folds("Where")
def where(call: Call) -> Array:
    """Chooses by a condition, with broadcasting."""
    if call[1].dtype != call[2].dtype:
        raise Decline("dtypes differ")
    return np.where(call[0], call[1], call[2])
