"""Folds per-channel scaling and shifting into the weights before it.

Conv, ConvTranspose and Gemm followed by BatchNormalization, Mul, Div, Add or Sub with constants. All
arithmetic is in float64 and rounded once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgekit.passes.affine import READABLE, Vector, affine_of, per_channel
from edgekit.passes.edit import (
    Maker,
    all_graphs,
    attribute,
    constant,
    drop,
    only_consumer,
    operand,
    producer,
)
from edgekit.passes.report import PassReport
from edgekit.passes.rounding import fits

NAME = "fuse-affine"

Weights = tuple[NDArray[np.float64], Vector]
"""Weights and bias."""


def call(model: ir.Model) -> PassReport:
    """Fuses along chains, from the front.

    Args:
        model: Changed in place; types must be inferred.

    Returns:
        How many nodes were folded into weights.
    """
    count = 0
    for graph in tuple(all_graphs(model.graph)):
        for node in tuple(graph):
            if node.op_type in READABLE and not node.domain:
                count += _fuse(node)
    return PassReport(NAME, count, f"folded {count} nodes into weights")


def _fuse(node: ir.Node) -> bool:
    before = next((p for v in node.inputs[:2] if (p := producer(v, *_SCALERS)) is not None), None)
    if before is None or only_consumer(before.outputs[0]) is not node or before.graph is not node.graph:
        return False
    affine = affine_of(node, 1)
    if affine is None or affine.x is not before.outputs[0]:
        return False
    kernel, bias = constant(before.inputs[1]), _bias_of(before, len(affine.scale))
    if kernel is None or bias is None:
        return False
    weights = kernel * _SCALERS[before.op_type](before, kernel, affine.scale)
    shifted, dtype = bias * affine.scale + affine.shift, kernel.dtype
    if not (fits(weights, dtype) and fits(shifted, dtype)):
        return False
    maker = Maker(node, before)
    attributes = {name: attr for name, attr in before.attributes.items() if name != "beta"}
    operands = (maker.const(weights, dtype, "weight"), maker.const(shifted, dtype, "bias"))
    maker.replace(maker.op(before.op_type, before.inputs[0], *operands, **attributes))
    drop(before)
    return True


def _bias_of(node: ir.Node, channels: int) -> Vector | None:
    """Returns what is added to each channel, zeros for no bias; `None` when that is not constant."""
    value = operand(node, 2)
    if value is None:
        return np.zeros(channels)
    array = constant(value)
    if array is None or node.op_type != "Gemm":
        return None if array is None else array.astype(np.float64)
    vector = per_channel(array, 2, 1, channels)
    return None if vector is None else vector * float(attribute(node, "beta", 1.0))


def _conv(node: ir.Node, kernel: NDArray[Any], scale: Vector) -> NDArray[np.float64]:
    """[M, C/g, ...]: one factor for each kernel."""
    return scale.reshape(-1, *(1,) * (kernel.ndim - 1))


def _conv_transpose(node: ir.Node, kernel: NDArray[Any], scale: Vector) -> NDArray[np.float64]:
    """[C, M/g, ...]: output channel m = g * (M/g) + j belongs to the rows of its group g."""
    groups = attribute(node, "group", 1)
    rows = np.repeat(scale.reshape(groups, -1), kernel.shape[0] // groups, axis=0)
    return rows.reshape(*kernel.shape[:2], *(1,) * (kernel.ndim - 2))


def _gemm(node: ir.Node, kernel: NDArray[Any], scale: Vector) -> NDArray[np.float64]:
    """[K, N], or [N, K] when transposed."""
    return scale[:, None] if attribute(node, "transB", 0) else scale[None, :]


_SCALERS: dict[str, Callable[[ir.Node, NDArray[Any], Vector], NDArray[np.float64]]] = {
    "Conv": _conv,
    "ConvTranspose": _conv_transpose,
    "Gemm": _gemm,
}
"""Factors of the weights, by op, that scale its output along axis 1."""
