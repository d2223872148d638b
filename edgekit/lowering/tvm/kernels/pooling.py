"""Sliding windows that reduce."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from edgekit.lowering.tvm.adapter import Expr, Tensor, dtype_of, te, tir
from edgekit.lowering.tvm.kernels import sizes as sz
from edgekit.lowering.tvm.kernels.common import MAXIMUM, compute, const, lowest
from edgekit.lowering.tvm.kernels.reductions import arg_extremum
from edgekit.lowering.tvm.kernels.table import kernel


class Slide:
    """Windows over the spatial axes of (N, C, ...).

    Attributes:
        counts: Windows along each axis.
        taps: Reduction axes over the taps.
    """

    def __init__(
        self,
        x: Tensor,
        kernel_shape: Sequence[int],
        strides: Sequence[int],
        pads: Sequence[int],
        dilations: Sequence[int],
        ceil: bool,
    ) -> None:
        self.x, self.strides, self.dilations, self.kernel = x, strides, dilations, kernel_shape
        self.rank = len(kernel_shape)
        self.before, self.after = pads[: self.rank], pads[self.rank :]
        self.taps = [te.reduce_axis((0, k), name=f"r{i}") for i, k in enumerate(kernel_shape)]
        self.counts = [self._count(i, ceil) for i in range(self.rank)]

    def _count(self, i: int, ceil: bool) -> Expr:
        size = sz.number(self.x.shape[2 + i])
        room = size + self.before[i] + self.after[i] - (self.kernel[i] - 1) * self.dilations[i] - 1
        if not ceil:
            return sz.quotient(room, self.strides[i]) + 1
        count = sz.quotient(room + self.strides[i] - 1, self.strides[i]) + 1
        beyond = (count - 1) * self.strides[i] >= size + self.before[i]  # it would start in the padding
        return sz.choose(beyond, count - 1, count)

    @property
    def shape(self) -> list[Expr]:
        """The shape of the result."""
        return [*self.x.shape[:2], *self.counts]

    def places(self, at: Sequence[Expr], taps: Sequence[Expr]) -> list[Expr]:
        """Returns where taps of a window lie on the axes."""
        return [
            i * s + t * d - b
            for i, s, t, d, b in zip(at, self.strides, taps, self.dilations, self.before, strict=True)
        ]

    def inside(self, places: Sequence[Expr], pads: bool = False) -> Expr:
        """Tells whether places lie on the axes, or on them and their pads."""
        checks = []
        for p, d, b, a in zip(places, self.x.shape[2:], self.before, self.after, strict=True):
            low, high = (-b, d + a) if pads else (0, d)
            checks += [p >= low, p < high]
        return tir.all(*checks)

    def reduce(
        self, combine: Callable[..., Expr], outside: Expr, name: str, of: Callable[[Expr], Expr]
    ) -> Tensor:
        """Combines `of` the elements of each window; taps beyond the axes count as `outside`."""

        def value(n: Expr, c: Expr, *at: Expr) -> Expr:
            places = self.places(at, [t.var for t in self.taps])
            read = tir.if_then_else(self.inside(places), of(self.x(n, c, *places)), outside)
            return combine(read, axis=self.taps)

        return compute(self.shape, value, name)


@kernel("max_pool")
def max_pool(
    x: Tensor,
    *,
    kernel_shape: Sequence[int],
    strides: Sequence[int],
    pads: Sequence[int],
    dilations: Sequence[int],
    ceil: bool,
) -> Tensor:
    """The largest element of each window."""
    slide = Slide(x, kernel_shape, strides, pads, dilations, ceil)
    return slide.reduce(MAXIMUM, lowest(dtype_of(x)), "max_pool", lambda v: v)


@kernel("max_pool_index")
def max_pool_index(
    x: Tensor,
    *,
    kernel_shape: Sequence[int],
    strides: Sequence[int],
    pads: Sequence[int],
    dilations: Sequence[int],
    ceil: bool,
    column_major: bool,
) -> Tensor:
    """The flat index in the whole tensor of the largest element of each window, as int64."""
    slide = Slide(x, kernel_shape, strides, pads, dilations, ceil)
    taps = 1
    for k in kernel_shape:
        taps *= k

    def tap_places(at: Sequence[Expr], tap: Expr) -> list[Expr]:
        return slide.places(at, sz.unravel(tap, kernel_shape))

    def read(n: Expr, c: Expr, *rest: Expr) -> Expr:
        places = tap_places(rest[:-1], rest[-1])
        return tir.if_then_else(slide.inside(places), x(n, c, *places), lowest(dtype_of(x)))

    unfolded = compute([*slide.shape, taps], read, "unfolded")
    best = arg_extremum(unfolded, len(slide.shape), False, True, False, "max_pool_tap")

    def flat(n: Expr, c: Expr, *at: Expr) -> Expr:
        places = tap_places(at, best(n, c, *at))
        space = list(x.shape[2:])
        inner = sz.ravel(places[::-1], space[::-1]) if column_major else sz.ravel(places, space)
        area: Expr = 1
        for d in space:
            area = area * d
        return ((n * x.shape[1] + c) * area + inner).astype("int64")

    return compute(slide.shape, flat, "max_pool_index")


@kernel("average_pool")
def average_pool(
    x: Tensor,
    *,
    kernel_shape: Sequence[int],
    strides: Sequence[int],
    pads: Sequence[int],
    dilations: Sequence[int],
    ceil: bool,
    include_pads: bool,
) -> Tensor:
    """The mean of each window over the taps on the axes, or on them and their pads."""
    slide = Slide(x, kernel_shape, strides, pads, dilations, ceil)
    total = slide.reduce(te.sum, const(0, dtype_of(x)), "average_pool_sum", lambda v: v)

    def mean(n: Expr, c: Expr, *at: Expr) -> Expr:
        count: Expr = tir.const(1, "int64")
        for i, size in enumerate(x.shape[2:]):
            low, high = (-slide.before[i], size + slide.after[i]) if include_pads else (0, size)
            count = count * _taps_between(at[i] * strides[i] - slide.before[i], kernel_shape[i],
                                          dilations[i], low, high)  # fmt: skip
        return total(n, c, *at) / tir.max(count, tir.const(1, "int64")).astype(dtype_of(x))

    return compute(slide.shape, mean, "average_pool")


def _taps_between(start: Expr, taps: int, dilation: int, low: Expr, high: Expr) -> Expr:
    """Counts the taps of a window that lie in [low, high)."""
    first = tir.max(tir.floordiv(low - start + dilation - 1, dilation), 0)
    last = tir.min(tir.floordiv(high - 1 - start, dilation), taps - 1)
    return tir.max(last - first + 1, 0).astype("int64")


@kernel("lp_pool")
def lp_pool(
    x: Tensor,
    *,
    kernel_shape: Sequence[int],
    strides: Sequence[int],
    pads: Sequence[int],
    dilations: Sequence[int],
    ceil: bool,
    p: int,
) -> Tensor:
    """The p-norm of each window."""
    slide = Slide(x, kernel_shape, strides, pads, dilations, ceil)
    exponent = const(p, dtype_of(x))
    total = slide.reduce(
        te.sum, const(0, dtype_of(x)), "lp_pool_sum", lambda v: tir.pow(tir.abs(v), exponent)
    )
    root = const(1 / p, dtype_of(x))
    return compute(slide.shape, lambda *i: tir.pow(total(*i), root), "lp_pool")
