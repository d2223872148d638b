"""Ops that scale and shift each channel by constants: BatchNormalization, and Mul, Div, Add, Sub."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgekit.passes.edit import attribute, constant, dims, is_used

Vector = NDArray[np.float64]
READABLE = ("BatchNormalization", "Mul", "Div", "Add", "Sub")
"""Ops that may be an affine map."""
FLOATS = (ir.DataType.FLOAT, ir.DataType.DOUBLE)


@dataclass(frozen=True, slots=True)
class Affine:
    """`y = x * scale + shift` on each channel.

    Attributes:
        x: The value scaled.
        scale: One factor for each channel.
        shift: One summand for each channel.
    """

    x: ir.Value
    scale: Vector
    shift: Vector


def affine_of(node: ir.Node, axis: int) -> Affine | None:
    """Reads a node as an affine map of the channels along an axis.

    Args:
        node: Any node.
        axis: The channel axis of its input; must have a static size.

    Returns:
        The map in float64, or `None` when the node is something else or its constants are not finite.
    """
    if node.domain or not node.inputs:
        return None
    if node.op_type == "BatchNormalization":
        found = _batch_normalization(node) if axis == 1 else None
    elif node.op_type in ("Mul", "Div", "Add", "Sub"):
        found = _arithmetic(node, axis)
    else:
        return None
    if found is None or not (np.isfinite(found.scale).all() and np.isfinite(found.shift).all()):
        return None
    return found


def _batch_normalization(node: ir.Node) -> Affine | None:
    """`(x - mean) / sqrt(var + epsilon) * scale + bias`, from the definition of the op."""
    x = node.inputs[0]
    training = attribute(node, "training_mode", 0) or any(is_used(v) for v in node.outputs[1:])
    if x is None or training or x.dtype not in FLOATS or len(dims(x) or ()) < 2:
        return None
    arrays = [constant(v) for v in node.inputs[1:5]]
    gamma, beta, mean, var = (None if a is None else a.astype(np.float64) for a in arrays)
    if gamma is None or beta is None or mean is None or var is None:
        return None
    with np.errstate(all="ignore"):
        scale = gamma / np.sqrt(var + float(attribute(node, "epsilon", 1e-5)))
    return Affine(x, scale, beta - mean * scale)


def _arithmetic(node: ir.Node, axis: int) -> Affine | None:
    first, second = node.inputs
    for x, other, flipped in ((first, second, False), (second, first, True)):
        sizes, array = dims(x), constant(other)
        if x is None or sizes is None or array is None or x.dtype not in FLOATS:
            continue
        channels = sizes[axis] if axis < len(sizes) else None
        if not isinstance(channels, int):
            return None
        vector = per_channel(array, len(sizes), axis, channels)
        return None if vector is None else _map(node.op_type, x, vector, flipped)
    return None


def _map(op_type: str, x: ir.Value, c: Vector, flipped: bool) -> Affine | None:
    one, zero = np.ones_like(c), np.zeros_like(c)
    if op_type == "Mul":
        return Affine(x, c, zero)
    if op_type == "Add":
        return Affine(x, one, c)
    if op_type == "Sub":
        return Affine(x, -one, c) if flipped else Affine(x, one, -c)
    if flipped:
        return None  # c / x is not affine
    with np.errstate(all="ignore"):
        return Affine(x, 1 / c, zero)


def per_channel(array: NDArray[Any], rank: int, axis: int, channels: int) -> Vector | None:
    """Returns a broadcast constant as one number for each channel.

    Args:
        array: The constant.
        rank: Rank of the tensor that it meets.
        axis: The channel axis of that tensor.
        channels: Number of channels.

    Returns:
        A vector of `channels` numbers, or `None` when the constant varies along another axis or would
        give the result a larger shape.
    """
    if array.ndim > rank:
        return None
    shape = (1,) * (rank - array.ndim) + array.shape
    if any(size != 1 for a, size in enumerate(shape) if a != axis) or shape[axis] not in (1, channels):
        return None
    return np.broadcast_to(array.astype(np.float64).reshape(-1), (channels,)).copy()
