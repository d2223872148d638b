"""Matrix products."""

from __future__ import annotations

from typing import Any

import numpy as np

from edgekit.lowering.ledger import Shape, Value
from edgekit.lowering.op import Op
from edgekit.lowering.tvm import codes
from edgekit.lowering.tvm.builder import TVMBuilder, broadcast, computed
from edgekit.lowering.tvm.codes import Codes
from edgekit.lowering.tvm.table import lowers


def matmul(b: TVMBuilder, x: Value, y: Value, *, wide: Any = None) -> Value:
    """Multiplies like numpy: rank 1 is a row on the left and a column on the right.

    Args:
        b: The builder.
        x: The left factor.
        y: The right factor.
        wide: The dtype to sum in, and of the result; by default that of the operands.
    """
    left = b.unsqueeze(x, [0]) if x.rank == 1 else x
    right = b.unsqueeze(y, [1]) if y.rank == 1 else y
    batch: Shape = broadcast(left.shape[:-2], right.shape[:-2]) if left.rank > 2 or right.rank > 2 else ()
    shape = (*batch, left.shape[-2], right.shape[-1])
    attrs = {} if wide is None else {"wide": np.dtype(wide).name}
    z = b.op("matmul", [left, right], attrs, dtype=x.dtype if wide is None else wide, shape=shape)
    gone = [z.rank - 2] * (x.rank == 1) + [z.rank - 1] * (y.rank == 1)
    return b.squeeze(z, gone)


@lowers("MatMul", since=13)
def mat_mul(b: TVMBuilder, n: Op) -> Value:
    """Matrix product, batch axes broadcast."""
    x, y = n.operand(0), n.operand(1)
    given = b.codes.get(x), b.codes.get(y)
    if given != (None, None):
        whole = _of_codes(b, n, *given, None) if min(x.rank, y.rank) > 1 else None
        if whole is not None:
            return whole
    return computed(b, [n.operand(0), n.operand(1)], lambda x, y: matmul(b, x, y))


@lowers("Gemm", since=13)
def gemm(b: TVMBuilder, n: Op) -> Value:
    """Alpha A B + beta C."""
    alpha, beta = n.attr("alpha", 1.0), n.attr("beta", 1.0)
    given = [b.codes.get(n.operand(i)) for i in range(2)]
    if given != [None, None] and alpha == beta == 1:
        left, right = (
            c.transposed(b) if c is not None and n.attr(a, 0) else c
            for c, a in zip(given, ("transA", "transB"), strict=True)
        )
        whole = _of_codes(b, n, left, right, n.input(2))
        if whole is not None:
            return whole

    def product(x: Value, y: Value, *rest: Value) -> Value:
        x = b.transpose(x, (1, 0)) if n.attr("transA", 0) else x
        y = b.transpose(y, (1, 0)) if n.attr("transB", 0) else y
        z = _times(b, b.op("matmul", [x, y], dtype=x.dtype, shape=(x.shape[0], y.shape[1])), alpha)
        return b.map("add", z, _times(b, rest[0], beta)) if rest else z

    return computed(b, [v for v in n.inputs if v is not None], product)


def _of_codes(b: TVMBuilder, n: Op, x: Codes | None, y: Codes | None, bias: Value | None) -> Value | None:
    """Multiplies the integers behind matrices; `None` if there are none that fit."""
    try:
        rank = 2 if y is None else y.value.rank
        x, y = codes.factors(x, y, rank - 1, [rank - 2])
    except codes.Unfit as verdict:
        b.reasons[n.node] = str(verdict)
        return None
    b.integers.add(n.node)
    sums = matmul(b, codes.centred(b, x), codes.centred(b, y), wide=np.int32)
    return codes.scaled(b, sums, x, y, bias, sums.rank - 1)


def _times(b: TVMBuilder, x: Value, factor: float) -> Value:
    return x if factor == 1 else b.map("multiply", x, b.scalar(factor, x))


@lowers("Einsum", since=12)
def einsum(b: TVMBuilder, n: Op) -> Value:
    """Sums products over letters."""
    operands = [n.operand(i) for i in range(len(n.inputs))]
    equation = n.attr("equation").replace(" ", "")
    left, arrow, result = equation.partition("->")
    terms = left.split(",")
    hidden = max((x.rank - len(t.replace("...", "")) for x, t in zip(operands, terms, strict=True)
                  if "..." in t), default=0)  # fmt: skip
    free = [chr(0x410 + i) for i in range(hidden)]  # letters that an equation cannot use
    full = [
        t.replace("...", "".join(free[hidden - (x.rank - len(t.replace("...", ""))) :]))
        for x, t in zip(operands, terms, strict=True)
    ]
    if not arrow:
        letters = left.replace("...", "").replace(",", "")
        result = "..." * ("..." in left) + "".join(sorted(c for c in set(letters) if letters.count(c) == 1))
    attrs = {"terms": full, "result": result.replace("...", "".join(free))}
    return computed(b, operands, lambda *v: b.op("einsum", v, attrs, dtype=v[0].dtype, shape=n.out_shape()))


@lowers("MatMulInteger", since=10)
def mat_mul_integer(b: TVMBuilder, n: Op) -> Value:
    """A product of 8-bit integers less their zero points, in int32."""
    x, y = centred(b, n.operand(0), n.input(2), -1), centred(b, n.operand(1), n.input(3), -2)
    return matmul(b, x, y)


def centred(b: TVMBuilder, x: Value, zero: Value | None, axis: int) -> Value:
    """Returns x - zero in int32; a vector of zero points runs along the other of the last two axes."""
    wide = b.cast(x, np.int32)
    if zero is None:
        return wide
    shift = b.cast(zero, np.int32)
    if zero.rank == 1 and zero.shape[0] != 1:
        shift = b.unsqueeze(shift, [1 if axis == -1 else 0])
    return b.map("subtract", wide, shift)
