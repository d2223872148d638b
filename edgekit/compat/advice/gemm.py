"""Gemm as a product of matrices and a sum."""

from __future__ import annotations

import numpy as np

from edgekit.compat.advice.table import Claim, advises
from edgekit.passes.edit import Maker, attribute, constant, operand


@advises(
    "Gemm",
    name="gemm-to-matmul",
    what="Gemm becomes MatMul and Add",
    claim=Claim.ROUNDING,
)
def to_matmul(maker: Maker) -> bool:
    """Needs constant weights; factors go into the constants."""
    node = maker.node
    weights, bias = constant(operand(node, 1)), operand(node, 2)
    if weights is None or attribute(node, "transA", 0) or weights.dtype != np.float32:
        return False
    factors = constant(bias)
    if bias is not None and factors is None:
        return False
    turned = weights.T if attribute(node, "transB", 0) else weights
    scaled = np.ascontiguousarray(turned) * np.float32(attribute(node, "alpha", 1.0))
    made = maker.op("MatMul", node.inputs[0], maker.const(scaled, hint="weights"))
    if factors is not None:
        beta = np.float32(attribute(node, "beta", 1.0))
        made = maker.op("Add", made, maker.const(factors * beta, hint="bias"))
    maker.replace(made)
    return True
