"""Folds per-channel scaling and shifting into the weights before it.

Conv, ConvTranspose and Gemm followed by BatchNormalization, Mul, Div, Add or Sub with constants. All
arithmetic is in float64 and rounded once.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgekit.passes.affine import FLOATS, Affine, Vector, affine_of, per_channel
from edgekit.passes.edit import (
    Maker,
    all_graphs,
    attribute,
    constant,
    only_consumer,
    operand,
    producer,
)
from edgekit.passes.report import PassReport

NAME = "fuse-affine"

Weights = tuple[NDArray[np.float64], Vector | None]
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
            for op_type, (axis, scale) in _SCALERS.items():
                count += _fuse(node, op_type, axis, scale)
    return PassReport(NAME, count, f"folded {count} nodes into weights")


def _fuse(node: ir.Node, op_type: str, axis: int, scale: Callable[[ir.Node, Affine], Weights | None]) -> bool:
    if node.graph is None or node.op_type not in ("BatchNormalization", "Mul", "Div", "Add", "Sub"):
        return False
    before = next((p for v in node.inputs[:2] if (p := producer(v, op_type)) is not None), None)
    if before is None or only_consumer(before.outputs[0]) is not node or before.graph is not node.graph:
        return False
    affine = affine_of(node, axis)
    if affine is None or affine.x is not before.outputs[0] or affine.x.dtype not in FLOATS:
        return False
    scaled = scale(before, affine)
    dtype = affine.x.dtype.numpy()
    if scaled is None or scaled[1] is None or not (_fits(scaled[0], dtype) and _fits(scaled[1], dtype)):
        return False
    weights, bias = scaled
    maker = Maker(node, before)
    attributes = {name: attr.value for name, attr in before.attributes.items()}
    attributes.pop("beta", None)
    maker.replace(
        maker.op(
            op_type,
            before.inputs[0],
            maker.const(weights, dtype, "weight"),
            maker.const(bias, dtype, "bias"),
            **attributes,
        )
    )
    before.graph.remove(before, safe=True)
    return True


def _fits(array: NDArray[np.float64], dtype: np.dtype) -> bool:
    """Tells whether rounding loses nothing but the last digits: no overflow, no underflow."""
    with np.errstate(all="ignore"):
        rounded = array.astype(dtype).astype(np.float64)
    return bool(np.isfinite(rounded).all() and (np.abs(rounded - array) <= 1e-6 * np.abs(array)).all())


def _conv(node: ir.Node, affine: Affine) -> Weights | None:
    weights, bias = constant(node.inputs[1]), constant(operand(node, 2))
    if weights is None or (bias is None and operand(node, 2) is not None):
        return None
    column = affine.scale.reshape(-1, *(1,) * (weights.ndim - 1))
    return weights * column, _shifted(bias, affine)


def _conv_transpose(node: ir.Node, affine: Affine) -> Weights | None:
    weights, bias = constant(node.inputs[1]), constant(operand(node, 2))
    if weights is None or (bias is None and operand(node, 2) is not None):
        return None
    # [C, M/g, ...]: output channel m = g * (M/g) + j belongs to the rows of its group g.
    groups = attribute(node, "group", 1)
    split = weights.reshape(groups, -1, *weights.shape[1:])
    factors = affine.scale.reshape(groups, 1, -1, *(1,) * (weights.ndim - 2))
    return (split * factors).reshape(weights.shape), _shifted(bias, affine)


def _gemm(node: ir.Node, affine: Affine) -> Weights | None:
    weights, bias = constant(node.inputs[1]), constant(operand(node, 2))
    if weights is None or (bias is None and operand(node, 2) is not None):
        return None
    if bias is not None:
        vector = per_channel(bias, 2, 1, len(affine.scale))
        if vector is None:
            return None
        bias = vector * float(attribute(node, "beta", 1.0))
    columns = affine.scale[:, None] if attribute(node, "transB", 0) else affine.scale[None, :]
    return weights * columns, _shifted(bias, affine)


def _shifted(bias: NDArray[np.float64] | None, affine: Affine) -> Vector:
    start = np.zeros_like(affine.shift) if bias is None else bias.astype(np.float64)
    return start * affine.scale + affine.shift


_SCALERS: dict[str, tuple[int, Callable[[ir.Node, Affine], Weights | None]]] = {
    "Conv": (1, _conv),
    "ConvTranspose": (1, _conv_transpose),
    "Gemm": (1, _gemm),
}
