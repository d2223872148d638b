"""Kernels over neighbouring channels and resampled axes."""

from __future__ import annotations

from collections.abc import Sequence

from edgekit.lowering.tvm.adapter import Expr, Tensor, dtype_of, is_int, te, tir
from edgekit.lowering.tvm.kernels import sizes as sz
from edgekit.lowering.tvm.kernels.common import compute, const
from edgekit.lowering.tvm.kernels.table import kernel


@kernel("lrn")
def lrn(x: Tensor, *, size: int, alpha: float, beta: float, bias: float) -> Tensor:
    """Local response normalisation over channels."""
    kind = dtype_of(x)
    k = te.reduce_axis((0, size), name="k")

    def square(*i: Expr) -> Expr:
        channel = i[1] + k.var - (size - 1) // 2
        inside = tir.all(channel >= 0, channel < x.shape[1])
        value = tir.if_then_else(inside, x(i[0], channel, *i[2:]), const(0, kind))
        return te.sum(value * value, axis=k)

    sums = compute(x.shape, square, "lrn_sum")

    def value(*i: Expr) -> Expr:
        base = const(bias, kind) + const(alpha / size, kind) * sums(*i)
        return x(*i) / tir.pow(base, const(beta, kind))

    return compute(x.shape, value, "lrn")


@kernel("resample")
def resample(x: Tensor, places: Tensor, weights: Tensor, *, axis: int) -> Tensor:
    """Each output along an axis is a weighted sum of taps: `places` and `weights` are (outputs, taps)."""
    shape = [places.shape[0] if i == axis else d for i, d in enumerate(x.shape)]
    taps = int(places.shape[1])

    def value(*i: Expr) -> Expr:
        total = None
        for t in range(taps):
            read = x(*i[:axis], places(i[axis], t), *i[axis + 1 :]) * weights(i[axis], t)
            total = read if total is None else total + read
        return total

    def long(*i: Expr) -> Expr:
        t = te.reduce_axis((0, taps), name="t")
        read = x(*i[:axis], places(i[axis], t.var), *i[axis + 1 :]) * weights(i[axis], t.var)
        return te.sum(read, axis=t)

    return compute(shape, value if taps <= 8 else long, "resample")


def _wide(size: Expr) -> Expr:
    return tir.const(int(size), "int64") if is_int(size) else size


@kernel("resample_scaled", sizes=(1,))
def resample_scaled(
    x: Tensor,
    sizes: Sequence[Expr] | None,
    *,
    axis: int,
    scale: float,
    coordinates: str,
    mode: str,
    nearest: str,
) -> Tensor:
    """Resamples an axis of a size known only at run time, by a scale or, where given, to the one size."""
    size = x.shape[axis]
    real = "float32"
    if sizes is None:
        factor = const(scale, real)
        length = tir.floor(size.astype(real) * factor).astype("int64")
    else:
        length = tir.const(sizes[0], "int64") if isinstance(sz.number(sizes[0]), int) else sizes[0]
        factor = length.astype(real) / (tir.const(int(size), "int64") if is_int(size) else size).astype(real)
    shape = [length if i == axis else d for i, d in enumerate(x.shape)]

    def position(i: Expr) -> Expr:
        at, half = i.astype(real), const(0.5, real)
        if coordinates == "asymmetric":
            return at / factor
        if coordinates == "align_corners":
            steps = tir.max(length - 1, tir.const(1, "int64")).astype(real)
            return at * _wide(size - 1).astype(real) / steps
        place = (at + half) / factor - half
        if coordinates == "pytorch_half_pixel":
            return tir.Select(length > 1, place, const(0, real))
        return place

    def within(i: Expr) -> Expr:
        return tir.max(tir.min(i.astype("int64"), _wide(size - 1)), tir.const(0, "int64"))

    def value(*i: Expr) -> Expr:
        at = position(i[axis])

        def read(place: Expr) -> Expr:
            return x(*i[:axis], within(place), *i[axis + 1 :])

        if mode == "nearest":
            half = const(0.5, real)
            rounded = {
                "round_prefer_floor": lambda: tir.ceil(at - half),
                "round_prefer_ceil": lambda: tir.floor(at + half),
                "floor": lambda: tir.floor(at),
                "ceil": lambda: tir.ceil(at),
            }[nearest]()
            return read(rounded)
        low = tir.floor(at)
        share = (at - low).astype(dtype_of(x))
        return read(low) * (const(1, dtype_of(x)) - share) + read(low + const(1, real)) * share

    return compute(shape, value, "resample_scaled")


@kernel("bucket")
def bucket(x: Tensor, edges: Tensor) -> Tensor:
    """Counts the ascending edges that a number reaches, as int32."""
    k = te.reduce_axis((0, edges.shape[0]), name="k")

    def count(*i: Expr) -> Expr:
        reached = x(*i) >= edges(k.var)
        return te.sum(tir.Select(reached, const(1, "int32"), const(0, "int32")), axis=k)

    return compute(x.shape, count, "bucket")
