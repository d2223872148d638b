"""Kernels that reduce axes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from edgekit.lowering.tvm.adapter import Expr, Tensor, dtype_of, te, tir
from edgekit.lowering.tvm.kernels import sizes as sz
from edgekit.lowering.tvm.kernels.common import (
    MAXIMUM,
    MINIMUM,
    PRODUCT,
    compute,
    const,
    highest,
    is_nan,
    lowest,
)
from edgekit.lowering.tvm.kernels.table import kernel


def reduced(
    x: Tensor,
    axes: Sequence[int],
    keep: bool,
    combine: Callable[..., Expr],
    nothing: Callable[[str], Expr],
    element: Callable[..., Expr],
    name: str,
) -> Tensor:
    """Reduces axes.

    Args:
        x: What has the axes.
        axes: Which ones to reduce, sorted.
        keep: Keep them with the size 1.
        combine: The reducer.
        nothing: Gives the result of no elements, by dtype.
        element: What is combined at an index.
        name: Name of the computation.
    """
    if not axes:
        return compute(x.shape, lambda *i: element(*i), name)
    extents = {a: sz.number(x.shape[a]) for a in axes}
    along = {a: te.reduce_axis((0, sz.most(d, 1)), name=f"k{a}") for a, d in extents.items()}
    shape = [1 if i in along else d for i, d in enumerate(x.shape) if keep or i not in along]

    def value(*i: Expr) -> Expr:
        outer = iter(i)
        at = []
        for axis in range(len(x.shape)):
            if axis in along:
                at.append(along[axis])
                if keep:
                    next(outer)
            else:
                at.append(next(outer))
        value = element(*at)
        for axis, extent in extents.items():  # an axis without elements still takes one step, on nothing
            if not isinstance(extent, int) or extent == 0:
                value = tir.if_then_else(along[axis].var < extent, value, nothing(dtype_of(value)))
        return combine(value, axis=list(along.values()))

    return compute(shape, value, name)


def _register(name: str, combine: Callable[..., Expr], nothing: Callable[[str], Expr]) -> None:
    @kernel(name)
    def reduce(x: Tensor, *, axes: Sequence[int], keep: bool) -> Tensor:
        if dtype_of(x) == "bool":
            wide = compute(x.shape, lambda *i: x(*i).astype("uint8"), "as_uint8")
            narrow = reduced(wide, axes, keep, combine, nothing, wide, name)
            return compute(narrow.shape, lambda *i: narrow(*i) != const(0, "uint8"), f"{name}_bool")
        return reduced(x, axes, keep, combine, nothing, x, name)


def zero(dtype: str) -> Expr:
    """The sum of nothing."""
    return const(0, dtype)


_register("reduce_sum", te.sum, zero)
_register("reduce_max", MAXIMUM, lowest)
_register("reduce_min", MINIMUM, highest)
_register("reduce_product", PRODUCT, lambda dtype: const(1, dtype))


@kernel("reduce_mean")
def reduce_mean(x: Tensor, *, axes: Sequence[int], keep: bool) -> Tensor:
    """The mean; integers are summed in int64 or float64 and truncated."""
    total = reduced(x, axes, keep, te.sum, zero, x, "reduce_mean_sum")
    count: Expr = 1
    for axis in axes:
        count = count * x.shape[axis]

    def mean(*i: Expr) -> Expr:
        if dtype_of(x).startswith("float"):
            divisor = const(count, dtype_of(x)) if isinstance(count, int) else count.astype(dtype_of(x))
            return total(*i) / divisor
        return tir.truncdiv(total(*i), const(count, dtype_of(x)) if isinstance(count, int) else
                            count.astype(dtype_of(x)))  # fmt: skip

    return compute(total.shape, mean, "reduce_mean")


def arg_extremum(x: Tensor, axis: int, keep: bool, largest: bool, last: bool, name: str) -> Tensor:
    """Returns the index of the extremum of an axis as int64; NaN beats everything."""

    def better(a: tuple[Expr, Expr], b: tuple[Expr, Expr]) -> tuple[Expr, Expr]:
        ahead = a[1] > b[1] if largest else a[1] < b[1]
        tied = tir.any(a[1] == b[1], tir.all(is_nan(a[1]), is_nan(b[1])))
        if dtype_of(a[1]).startswith("float"):
            ahead = tir.any(ahead, tir.all(is_nan(a[1]), tir.Not(is_nan(b[1]))))
        # The initial index is -1: it loses to every element, and among elements the order decides.
        earlier = a[0] > b[0] if last else a[0] < b[0]
        settled = tir.all(a[0] >= 0, tir.any(b[0] < 0, ahead, tir.all(tied, earlier)))
        return tir.Select(settled, a[0], b[0]), tir.Select(settled, a[1], b[1])

    pick = te.comm_reducer(better, lambda i, v: (const(-1, i), const(0, v)), name=name)
    k = te.reduce_axis((0, x.shape[axis]), name="k")
    shape = [1 if i == axis else d for i, d in enumerate(x.shape) if keep or i != axis]

    def value(*i: Expr) -> Expr:
        rest = [*i[:axis], *(i[axis + 1 :] if keep else i[axis:])]
        at = [*rest[:axis], k, *rest[axis:]]
        return pick((k.var.astype("int64"), x(*at)), axis=[k])

    both = te.compute(tuple(shape), value, name=f"{name}_pair")
    return compute(shape, lambda *i: both[0](*i), name)


@kernel("argmax")
def argmax(x: Tensor, *, axis: int, keep: bool, last: bool) -> Tensor:
    """Index of the largest element, the first or the last of equals."""
    return arg_extremum(x, axis, keep, True, last, "argmax")


@kernel("argmin")
def argmin(x: Tensor, *, axis: int, keep: bool, last: bool) -> Tensor:
    """Index of the smallest element, the first or the last of equals."""
    return arg_extremum(x, axis, keep, False, last, "argmin")


@kernel("softmax")
def softmax(x: Tensor, *, axis: int) -> Tensor:
    """exp(x - max) over its sum along an axis."""
    peak = reduced(x, [axis], True, MAXIMUM, lowest, x, "softmax_max")
    power = compute(x.shape, lambda *i: tir.exp(x(*i) - peak(*_at_zero(i, axis))), "softmax_exp")
    total = reduced(power, [axis], True, te.sum, zero, power, "softmax_sum")
    return compute(x.shape, lambda *i: power(*i) / total(*_at_zero(i, axis)), "softmax")


@kernel("log_softmax")
def log_softmax(x: Tensor, *, axis: int) -> Tensor:
    """X - max - log(sum(exp(x - max))) along an axis."""
    peak = reduced(x, [axis], True, MAXIMUM, lowest, x, "softmax_max")

    def power(*i: Expr) -> Expr:
        return tir.exp(x(*i) - peak(*_at_zero(i, axis)))

    total = reduced(x, [axis], True, te.sum, zero, power, "softmax_sum")
    return compute(
        x.shape,
        lambda *i: x(*i) - peak(*_at_zero(i, axis)) - tir.log(total(*_at_zero(i, axis))),
        "log_softmax",
    )


def _at_zero(index: Sequence[Expr], axis: int) -> list[Expr]:
    return [0 if i == axis else k for i, k in enumerate(index)]
