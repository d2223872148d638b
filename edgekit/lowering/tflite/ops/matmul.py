"""Matrix products: constant 2-D weights become FULLY_CONNECTED, the rest BATCH_MATMUL."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from edgekit.lowering.ledger import Shape, Value
from edgekit.lowering.op import Op, Unlowerable
from edgekit.lowering.tflite.builder import TFLiteBuilder
from edgekit.lowering.tflite.dialect import broadcast
from edgekit.lowering.tflite.formula import Term
from edgekit.lowering.tflite.kernels import carrier
from edgekit.lowering.tflite.movement import bitcast
from edgekit.lowering.tflite.spatial import drop_axis, insert_axis
from edgekit.lowering.tflite.table import lowers

MAX_RANK = 5
"""BATCH_MATMUL's limit outside XNNPACK."""


@lowers("MatMul", since=13)
def matmul(b: TFLiteBuilder, n: Op) -> Value:
    """MatMul -> FULLY_CONNECTED or BATCH_MATMUL; integers -> sums of products in their own ring."""
    x, y = n.operand(0), n.operand(1)
    if x.dtype.kind in "iu":
        signed = np.dtype(f"int{x.dtype.itemsize * 8}")  # the same ring, modulo a power of two
        x, y = bitcast(b, x, signed), bitcast(b, y, signed)
        wide = carrier(signed, ("int32", "int64"))
        narrow = b.cast(integer_product(b, b.cast(x, wide), b.cast(y, wide)), signed)
        return bitcast(b, narrow, n.operand(0).dtype)
    real = carrier(x.dtype, ("float32",))
    return b.cast(product(b, b.cast(x, real), b.cast(y, real)), x.dtype)


@lowers("Gemm", since=13)
def gemm(b: TFLiteBuilder, n: Op) -> Value:
    """Gemm -> FULLY_CONNECTED with alpha and beta in the weights and bias where those are constant."""
    x, w, c = n.operand(0), n.operand(1), n.input(2)
    alpha, beta = n.attr("alpha", 1.0), n.attr("beta", 1.0)
    if x.rank != 2 or w.rank != 2:
        n.refuse(f"it multiplies matrices, not tensors of rank {x.rank} and {w.rank}", code="EK114")
    if x.dtype.kind in "iu":
        n.refuse(f"an integer Gemm ({x.dtype.name})", code="EK303")
    real = carrier(x.dtype, ("float32",))
    x, w = b.cast(x, real), b.cast(w, real)
    x = b.transpose(x, (1, 0)) if n.attr("transA", 0) else x
    w = w if n.attr("transB", 0) else b.transpose(w, (1, 0))
    addend = None if c is None or beta == 0 else scaled(b, b.cast(c, real), beta)
    w = scaled(b, w, alpha)
    bias = addend if addend is not None and _is_bias(addend, w) else None
    y = fully_connected(b, x, w, bias)
    if addend is not None and bias is None:
        y = b.binary("ADD", y, addend)
    return b.cast(y, n.operand(0).dtype)


def scaled(b: TFLiteBuilder, x: Value, factor: float) -> Value:
    """Multiplies by a number; by 1 not at all."""
    return x if factor == 1.0 else (Term(b, x) * factor).value


def _is_bias(addend: Value, w: Value) -> bool:
    return addend.data is not None and math.prod(addend.data.shape[:-1]) == 1 and addend.rank > 0 and (
        addend.shape[-1] == w.shape[0]
    )  # fmt: skip


def fully_connected(b: TFLiteBuilder, x: Value, w: Value, bias: Value | None = None) -> Value:
    """Returns `x @ w.T + bias` for x (..., K), w (N, K) and a constant bias of N elements."""
    if bias is None:
        if w.shape[0] is None:
            return product(b, x, b.transpose(w, (1, 0)))
        bias = b.const(np.zeros(w.shape[0], np.float32))
    attrs = {"fused_activation_function": "NONE", "keep_num_dims": x.rank != 2}
    operands = [x, w, b.reshape(bias, (w.shape[0],))]
    return b.op("FULLY_CONNECTED", operands, attrs, dtype=x.dtype, shape=(*x.shape[:-1], w.shape[0]))


def product(b: TFLiteBuilder, x: Value, y: Value) -> Value:
    """Multiplies float32 matrices as numpy's `matmul` does: vectors, batches, broadcasting."""
    return _of_vectors(b, x, y, _matrices)


def integer_product(b: TFLiteBuilder, x: Value, y: Value) -> Value:
    """Multiplies int32 or int64 matrices as numpy's `matmul` does; sums wrap."""
    return _of_vectors(b, x, y, _integer_matrices)


def _of_vectors(
    b: TFLiteBuilder, x: Value, y: Value, multiply: Callable[[TFLiteBuilder, Value, Value], Value]
) -> Value:
    """Makes matrices of vectors, multiplies, and drops the axes that were added."""
    result = multiply(
        b,
        insert_axis(b, x, 0) if x.rank == 1 else x,
        insert_axis(b, y, 1) if y.rank == 1 else y,
    )
    result = drop_axis(b, result, result.rank - 1) if y.rank == 1 else result
    if x.rank > 1:
        return result
    return drop_axis(b, result, result.rank - (1 if y.rank == 1 else 2))


def _matrices(b: TFLiteBuilder, x: Value, y: Value) -> Value:
    shape = (*broadcast(x.shape[:-2], y.shape[:-2]), x.shape[-2], y.shape[-1])
    if 0 in shape or x.shape[-1] == 0:
        return _nothing(b, x, shape)
    if y.rank == 2 and y.data is not None:
        return fully_connected(b, x, b.transpose(y, (1, 0)))
    if len(shape) > MAX_RANK:
        return _flat_batch(b, x, y, shape)
    return b.op("BATCH_MATMUL", [x, y], {"adj_x": False, "adj_y": False}, dtype=x.dtype, shape=shape)


def _nothing(b: TFLiteBuilder, x: Value, shape: Shape) -> Value:
    """A product without terms is zero; XNNPACK refuses to compute it."""
    if None in shape:
        raise Unlowerable("an empty product of a size known only at run time", code="EK305")
    return b.const(np.zeros([d or 0 for d in shape], x.dtype))


def _flat_batch(b: TFLiteBuilder, x: Value, y: Value, shape: Shape) -> Value:
    """Merges the batch axes, which must be equal or absent on one side."""
    batch = shape[:-2]
    flat = None if None in batch else math.prod(d for d in batch if d is not None)
    operands = []
    for v in (x, y):
        if all(d == 1 for d in v.shape[:-2]):
            operands.append(b.reshape(v, v.shape[-2:]))
        elif v.shape[:-2] == batch:
            operands.append(b.reshape(v, (flat, *v.shape[-2:])))
        else:
            raise Unlowerable(f"a matrix product of rank {len(shape)} that broadcasts its batch axes")
    attrs = {"adj_x": False, "adj_y": False}
    result = b.op("BATCH_MATMUL", operands, attrs, dtype=x.dtype, shape=(flat, *shape[-2:]))
    return b.reshape(result, shape)


def _integer_matrices(b: TFLiteBuilder, x: Value, y: Value) -> Value:
    """Multiplies (..., M, K, 1) by (..., 1, K, N) and sums over K; BATCH_MATMUL has no such kernel."""
    left, right = insert_axis(b, x, x.rank), insert_axis(b, y, y.rank - 2)
    if max(left.rank, right.rank) > MAX_RANK:
        raise Unlowerable(f"an integer matrix product of rank {max(x.rank, y.rank)}")
    terms = Term(b, left) * Term(b, right)
    return terms.reduce("SUM", [len(terms.shape) - 2], keep=False).value
