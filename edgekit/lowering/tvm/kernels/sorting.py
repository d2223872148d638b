"""Kernels that order, select and count elements."""

from __future__ import annotations

from collections.abc import Sequence

from edgekit.lowering.tvm.adapter import Expr, Tensor, dtype_of, script, te, tir
from edgekit.lowering.tvm.kernels import sizes as sz
from edgekit.lowering.tvm.kernels.common import compute, const, is_nan, product
from edgekit.lowering.tvm.kernels.sequential import cumulative, loops
from edgekit.lowering.tvm.kernels.table import kernel


def _precedes(a: Expr, i: Expr, b: Expr, j: Expr, largest: bool) -> Expr:
    """Tells whether element i comes before j: by value, NaN as the largest number, then by place."""
    ahead = a > b if largest else a < b
    tied = a == b
    if dtype_of(a).startswith("float"):
        first, second = (is_nan(a), is_nan(b)) if largest else (is_nan(b), is_nan(a))
        ahead = tir.any(ahead, tir.all(first, tir.Not(second)))
        tied = tir.any(tied, tir.all(is_nan(a), is_nan(b)))
    return tir.any(ahead, tir.all(tied, i < j))


@kernel("rank")
def rank(x: Tensor, *, axis: int, largest: bool) -> Tensor:
    """The place of each element in the order of its axis, as int64; equals keep their order."""

    def place(*i: Expr) -> Expr:
        k = te.reduce_axis((0, x.shape[axis]), name="k")
        other = x(*i[:axis], k.var, *i[axis + 1 :])
        before = _precedes(other, k.var, x(*i), i[axis], largest)
        return te.sum(tir.Select(before, const(1, "int64"), const(0, "int64")), axis=k)

    return compute(x.shape, place, "rank")


@kernel("invert", sizes=(1,))
def invert(ranks: Tensor, count: Sequence[Expr], *, axis: int) -> Tensor:
    """Which element has the rank 0, 1, ... below a count, along an axis."""
    shape = [count[0] if i == axis else d for i, d in enumerate(ranks.shape)]

    def owner(*i: Expr) -> Expr:
        k = te.reduce_axis((0, ranks.shape[axis]), name="k")
        here = ranks(*i[:axis], k.var, *i[axis + 1 :]) == i[axis].astype("int64")
        return te.sum(tir.Select(here, k.var.astype("int64"), const(0, "int64")), axis=k)

    return compute(shape, owner, "invert")


@kernel("running_count")
def running_count(mask: Tensor) -> Tensor:
    """How many elements of a flat boolean tensor are true up to each one, itself included, as int64."""
    ones = compute(mask.shape, lambda i: tir.Select(mask(i), const(1, "int64"), const(0, "int64")), "ones")
    return cumulative(ones, axis=0, exclusive=False, reverse=False, times=False)


@kernel("last")
def last(x: Tensor) -> Tensor:
    """The last element of a vector, or 0 of an empty one; shape (1,)."""
    size = x.shape[0]

    def read(_: Expr) -> Expr:
        return tir.if_then_else(size > 0, x(sz.most(size - 1, 0)), const(0, dtype_of(x)))

    return compute([1], read, "last")


@kernel("places", sizes=(2,))
def places(mask: Tensor, counts: Tensor, total: Sequence[Expr]) -> Tensor:
    """The places of the true elements of a flat mask, given its running count."""

    def body(ins: list[Expr], outs: list[Expr]) -> None:
        flags, running = ins
        (out,) = outs
        with script.serial(0, mask.shape[0]) as i, script.If(flags[i]), script.Then():
            out[running[i] - 1] = i.astype("int64")

    return loops([([total[0]], "int64")], [mask, counts], body, "places")


@kernel("unravel")
def unravel(flat: Tensor, like: Tensor) -> Tensor:
    """Coordinates of flat places in a tensor of another's shape: (rank, count)."""
    shape = list(like.shape)

    def read(axis: Expr, i: Expr) -> Expr:
        coordinates = sz.unravel(flat(i), shape)
        result = coordinates[-1]
        for k in range(len(shape) - 1):
            result = tir.Select(axis == k, coordinates[k], result)
        return result.astype("int64")

    return compute([len(shape), flat.shape[0]], read, "unravel")


@kernel("flat")
def flat(x: Tensor) -> Tensor:
    """All elements in row-major order."""
    return compute([product(x.shape)], lambda i: x(*sz.unravel(i, x.shape)), "flat")


@kernel("row_rank")
def row_rank(x: Tensor) -> Tensor:
    """The place of each row of a matrix in the order of rows: by column after column, then by place."""

    def place(i: Expr) -> Expr:
        k = te.reduce_axis((0, x.shape[0]), name="k")
        before = k.var < i
        for column in reversed(range(int(x.shape[1]))):
            a, b = x(k.var, column), x(i, column)
            equal = a == b
            ahead = a < b
            if dtype_of(a).startswith("float"):
                equal = tir.any(equal, tir.all(is_nan(a), is_nan(b)))
                ahead = tir.any(ahead, tir.all(is_nan(b), tir.Not(is_nan(a))))
            before = tir.any(ahead, tir.all(equal, before))
        return te.sum(tir.Select(before, const(1, "int64"), const(0, "int64")), axis=k)

    return compute([x.shape[0]], place, "row_rank")


@kernel("row_differs")
def row_differs(x: Tensor) -> Tensor:
    """Tells of each row whether it differs from the one before; the first one does."""

    def differs(i: Expr) -> Expr:
        result = i == 0
        for column in range(int(x.shape[1])):
            before = x(tir.max(i - 1, 0), column)
            result = tir.any(result, tir.Not(before == x(i, column)))
        return result

    return compute([x.shape[0]], differs, "row_differs")


@kernel("gaps")
def gaps(starts: Tensor, end: Tensor) -> Tensor:
    """The distance of each start to the next one, and of the last one to the end."""
    count = starts.shape[0]

    def gap(i: Expr) -> Expr:
        following = tir.if_then_else(i + 1 < count, starts(tir.min(i + 1, count - 1)), end())
        return following - starts(i)

    return compute([count], gap, "gaps")
