"""Matrix products."""

from __future__ import annotations

import numpy as np

from edgekit.lowering.coreml.bounds import Interval
from edgekit.lowering.coreml.builder import CoreMlBuilder
from edgekit.lowering.coreml.formula import Term
from edgekit.lowering.coreml.integers import require_signed, result
from edgekit.lowering.coreml.table import lowers
from edgekit.lowering.ledger import Value
from edgekit.lowering.op import Op


@lowers("MatMul", since=13)
def matmul(b: CoreMlBuilder, n: Op) -> Value:
    """MatMul -> linear for constant weights, else matmul; of integers in int32."""
    x, y = n.operand(0), n.operand(1)
    if x.dtype.kind == "f":
        return product(b, x, y)
    made = product(b, b.int32(x), b.int32(y))
    depth = x.shape[-1]
    span = (b.interval(x) * b.interval(y)).times(1, 2**31 if depth is None else depth)
    return result(b, n, b.relabel(made, x.dtype), span)


def product(b: CoreMlBuilder, x: Value, y: Value) -> Value:
    """Multiplies as numpy's `matmul` does."""
    if x.dtype.kind == "f" and y.data is not None and y.rank == 2 and 2 <= x.rank <= 3:
        return b.op("linear", x=x, weight=b.transpose(y, (1, 0)))
    left = b.expand_dims(x, [0]) if x.rank == 1 else x
    right = b.expand_dims(y, [1]) if y.rank == 1 else y
    rank = max(left.rank, right.rank)
    made = b.op("matmul", x=b.expand_rank(left, rank), y=b.expand_rank(right, rank))
    drop = [rank - 2] * (x.rank == 1) + [rank - 1] * (y.rank == 1)
    return b.squeeze(made, drop)


@lowers("Gemm", since=13)
def gemm(b: CoreMlBuilder, n: Op) -> Value:
    """Gemm -> linear where weights and bias are constants, else matmul, mul, add."""
    a, w, c = n.operand(0), n.operand(1), n.input(2)
    alpha, beta = float(n.attr("alpha", 1.0)), float(n.attr("beta", 1.0))
    if a.dtype.kind != "f":
        return _integer_gemm(b, n, a, w, c)
    left = b.transpose(a, (1, 0)) if n.attr("transA", 0) else a
    if w.data is not None:
        weight = w if n.attr("transB", 0) else b.transpose(w, (1, 0))
        if alpha != 1 and weight.data is not None:
            weight = b.const((weight.data * alpha).astype(w.dtype))
        bias = _bias(b, c, beta, weight.shape[0] or 0)
        made = b.op("linear", x=left, weight=weight, bias=bias)
        return made if bias is not None or c is None else _added(b, made, c, beta)
    made = b.op("matmul", x=left, y=w, transpose_y=bool(n.attr("transB", 0)))
    made = made if alpha == 1 else (Term(b, made) * alpha).value
    return made if c is None else _added(b, made, c, beta)


def _bias(b: CoreMlBuilder, c: Value | None, beta: float, count: int) -> Value | None:
    """Returns a constant addend of one number per column, else `None`."""
    if (
        c is None
        or c.data is None
        or c.data.size not in (1, count)
        or c.data.shape[:-1].count(1) != max(c.rank - 1, 0)
    ):
        return None
    return b.const(np.ascontiguousarray(np.broadcast_to(c.data.reshape(-1) * beta, (count,))).astype(c.dtype))


def _added(b: CoreMlBuilder, x: Value, c: Value, beta: float) -> Value:
    return b.binary("add", x, c if beta == 1 else (Term(b, c) * beta).value)


def _integer_gemm(b: CoreMlBuilder, n: Op, a: Value, w: Value, c: Value | None) -> Value:
    if n.attr("alpha", 1.0) != 1 or n.attr("beta", 1.0) != 1:
        n.refuse("integers with `alpha` or `beta`; ONNX does not say how they are rounded")
    left, right = b.int32(a), b.int32(w)
    made = b.op(
        "matmul",
        x=left,
        y=right,
        transpose_x=bool(n.attr("transA", 0)),
        transpose_y=bool(n.attr("transB", 0)),
    )
    depth = a.shape[0 if n.attr("transA", 0) else 1]
    span = (b.interval(a) * b.interval(w)).times(1, 2**31 if depth is None else depth)
    if c is not None:
        made, span = b.binary("add", made, b.int32(c)), span + b.interval(c)
    return result(b, n, b.relabel(made, a.dtype), span)


@lowers("MatMulInteger", since=10)
def matmul_integer(b: CoreMlBuilder, n: Op) -> Value:
    """MatMulInteger -> sub of the zero points, matmul in int32."""
    return product(b, shifted(b, n, 0, 2, rows=True), shifted(b, n, 1, 3, rows=False))


def shifted(b: CoreMlBuilder, n: Op, index: int, zero: int, *, rows: bool) -> Value:
    """Returns an 8-bit operand less its zero point, which may be one number or one per row or column."""
    x, offset = b.int32(require_signed(b, n.operand(index), "a factor")), n.input(zero)
    if offset is None:
        return x
    point = b.int32(offset)
    if point.rank == 1 and rows and point.shape != (1,):
        point = b.expand_dims(point, [1])
    return b.bounded(b.binary("sub", x, point), Interval(-255, 255))
