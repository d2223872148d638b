"""Kernels of matrix products: float64 inside, rounded once."""

from __future__ import annotations

import numpy as np

from edgekit.passes.fold.table import Array, Call, Decline, folds, require_plain


@folds("MatMul")
def mat_mul(call: Call) -> Array:
    """Product over the last two axes, broadcasting the others."""
    require_plain(*call.inputs)
    if call[0].dtype.kind != "f":
        return np.asarray(np.matmul(call[0], call[1]))
    product = np.matmul(call[0].astype(np.float64), call[1].astype(np.float64))
    return np.asarray(product).astype(call[0].dtype)


@folds("Gemm")
def gemm(call: Call) -> Array:
    """`alpha * A' @ B' + beta * C`."""
    require_plain(*call.inputs)
    if call[0].dtype.kind != "f":
        raise Decline("integer Gemm")
    a, b = (call[i].astype(np.float64) for i in range(2))
    a, b = (a.T if call.attr("transA", 0) else a), (b.T if call.attr("transB", 0) else b)
    result = call.attr("alpha", 1.0) * (a @ b)
    bias = call.get(2)
    if bias is not None:
        result = result + call.attr("beta", 1.0) * bias.astype(np.float64)
    return np.asarray(result, call[0].dtype)
