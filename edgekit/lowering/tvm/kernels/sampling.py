"""Kernels that read images at positions computed at run time, or write into them."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

from edgekit.lowering.tvm.adapter import Expr, Tensor, dtype_of, script, te, tir
from edgekit.lowering.tvm.kernels import sizes as sz
from edgekit.lowering.tvm.kernels.common import compute, const, larger, product
from edgekit.lowering.tvm.kernels.sequential import loops
from edgekit.lowering.tvm.kernels.table import kernel

Taps = list[tuple[Expr, Expr | None]]
"""Whole positions as floats, with weights."""


def _linear(at: Expr) -> Taps:
    low = tir.floor(at)
    share = at - low
    one = const(1, dtype_of(at))
    return [(low, one - share), (low + one, share)]


def _cubic(at: Expr) -> Taps:
    """Cubic convolution with the coefficient -0.75. Source: R. G. Keys, 1981."""
    kind = dtype_of(at)
    a, one, low = -0.75, const(1, kind), tir.floor(at)
    t = at - low

    def near(d: Expr) -> Expr:
        return ((const(a + 2, kind) * d - const(a + 3, kind)) * d * d) + one

    def far(d: Expr) -> Expr:
        return ((const(a, kind) * d - const(5 * a, kind)) * d + const(8 * a, kind)) * d - const(4 * a, kind)

    shares = (far(t + one), near(t), near(one - t), far(const(2, kind) - t))
    return [(low + const(k, kind), share) for k, share in zip((-1, 0, 1, 2), shares, strict=True)]


_MODES: dict[str, Callable[[Expr], Taps]] = {
    "nearest": lambda at: [(tir.nearbyint(at), None)],
    "linear": _linear,
    "cubic": _cubic,
}


@kernel("grid_sample")
def grid_sample(x: Tensor, grid: Tensor, *, mode: str, padding: str, corners: bool) -> Tensor:
    """Reads (N, C, ...) at the positions that (N, ..., axes) gives in [-1, 1].

    Source of the position and padding formulas: ONNX operator schema of GridSample.
    """
    kind = dtype_of(x)
    rank = len(x.shape) - 2
    shape = [x.shape[0], x.shape[1], *grid.shape[1:-1]]

    def value(n: Expr, c: Expr, *at: Expr) -> Expr:
        axes = []
        for axis in range(rank):
            size = _real(x.shape[2 + axis], kind)
            place = grid(n, *at, rank - 1 - axis).astype(kind)
            axes.append([_placed(t, size, padding, corners) for t in
                         _MODES[mode](_in_pixels(place, size, corners))])  # fmt: skip
        return _weighted(axes, x.shape[2:], kind, padding == "zeros", lambda i: x(n, c, *i))

    return compute(shape, value, "grid_sample")


def _real(size: Expr, kind: str) -> Expr:
    return const(int(size), kind) if isinstance(sz.number(size), int) else size.astype(kind)


def _in_pixels(place: Expr, size: Expr, corners: bool) -> Expr:
    kind = dtype_of(place)
    one, half = const(1, kind), const(0.5, kind)
    return (place + one) * ((size - one) * half) if corners else ((place + one) * size - one) * half


def _placed(tap: tuple[Expr, Expr | None], size: Expr, padding: str, corners: bool) -> tuple[Expr, Any]:
    """Brings a position onto the axis; where padding is zeros that is left to the weights."""
    at, share = tap
    kind = dtype_of(at)
    zero, one, two = (const(v, kind) for v in (0, 1, 2))
    if padding == "zeros":
        return tap
    if padding == "reflection":
        low = const(0 if corners else -0.5, kind)
        span = size - one - two * low
        distance = tir.abs(at - low)
        period = two * tir.Select(span > zero, span, one)
        rest = distance - tir.floor(distance / period) * period
        at = tir.Select(span > zero, tir.min(rest, period - rest) + low, zero)
    return tir.max(tir.min(at, size - one), zero), share


def _weighted(
    axes: Sequence[Taps], sizes: Sequence[Expr], kind: str, zeros: bool, read: Callable[[list[Expr]], Expr]
) -> Expr:
    """Sums the neighbours of a position, each weighted along every axis."""
    total = None
    for taps in itertools.product(*axes):
        where, weight, inside = [], None, []
        for (at, share), size in zip(taps, sizes, strict=True):
            index = at.astype("int64")
            where.append(index)
            inside += [at >= const(0, kind), at < _real(size, kind)]
            if share is not None:
                weight = share if weight is None else weight * share
        value = tir.if_then_else(tir.all(*inside), read(where), const(0, kind)) if zeros else read(where)
        value = value if weight is None else value * weight
        total = value if total is None else total + value
    return total


@kernel("deform_sample")
def deform_sample(
    x: Tensor,
    offsets: Tensor,
    mask: Tensor | None,
    *,
    kernel_shape: Sequence[int],
    strides: Sequence[int],
    pads: Sequence[int],
    dilations: Sequence[int],
    groups: int,
) -> Tensor:
    """Reads (N, C, ...) at every tap of every output, moved by its offset: (N, C, taps, outputs...)."""
    kind, rank = dtype_of(x), len(kernel_shape)
    taps = 1
    for k in kernel_shape:
        taps *= k
    per_group = x.shape[1] // groups

    def value(n: Expr, c: Expr, tap: Expr, *at: Expr) -> Expr:
        group = c // per_group
        axes = []
        for i, t in enumerate(sz.unravel(tap, kernel_shape)):
            centre = (at[i] * strides[i] - pads[i] + t * dilations[i]).astype(kind)
            axes.append(_linear(centre + offsets(n, (group * taps + tap) * rank + i, *at)))
        result = _weighted(axes, x.shape[2:], kind, True, lambda i: x(n, c, *i))
        return result if mask is None else result * mask(n, group * taps + tap, *at)

    return compute([x.shape[0], x.shape[1], taps, *offsets.shape[2:]], value, "deform_sample")


@kernel("roi_align")
def roi_align(
    x: Tensor,
    rois: Tensor,
    images: Tensor,
    *,
    height: int,
    width: int,
    ratio: int,
    scale: float,
    half_pixel: bool,
    largest: bool,
) -> Tensor:
    """Pools samples of regions (count, 4) of images (N, C, H, W).

    Source: ONNX operator schema of RoiAlign; what it leaves open is as in ONNX Runtime: samples more
    than a pixel outside count as zero, and `max` compares the weighted neighbours.
    """
    kind = dtype_of(x)
    count, channels = rois.shape[0], x.shape[1]
    rows, columns = x.shape[2], x.shape[3]
    offset = const(0.5 if half_pixel else 0.0, kind)

    def body(ins: list[Any], outs: list[Any]) -> None:
        source, regions, numbers = ins
        out, real, whole = outs  # the last two hold what would be large expressions
        with script.serial(0, count * channels) as i, script.serial(0, height * width) as j:
            r, c = i // channels, i % channels

            def length(low: int, high: int) -> Expr:
                raw = (regions[r * 4 + high] - regions[r * 4 + low]) * const(scale, kind)
                return raw if half_pixel else tir.max(raw, const(1, kind))

            place = i * (height * width) + j
            out[place] = const(0, kind)
            real[_FIRST] = const(1, kind)
            for axis, (low, high, bins) in enumerate(((1, 3, height), (0, 2, width))):
                real[_BIN + axis] = length(low, high) / const(bins, kind)
                whole[_COUNT + axis] = (
                    tir.const(ratio, "int64") if ratio > 0 else tir.ceil(real[_BIN + axis]).astype("int64")
                )
            base = (sz.within(numbers[r], x.shape[0]) * channels + c) * (rows * columns)
            with script.serial(0, whole[_COUNT]) as sy, script.serial(0, whole[_COUNT + 1]) as sx:
                for axis, (low, bin_, k) in enumerate(((1, j // width, sy), (0, j % width, sx))):
                    start = regions[r * 4 + low] * const(scale, kind) - offset
                    share = (k.astype(kind) + const(0.5, kind)) / whole[_COUNT + axis].astype(kind)
                    real[_AT + axis] = start + real[_BIN + axis] * (bin_.astype(kind) + share)
                    _bracket(real, whole, axis, (rows, columns)[axis], kind)
                for a, b in itertools.product(range(2), range(2)):
                    where = base + whole[_INDEX + a] * columns + whole[_INDEX + 2 + b]
                    real[_VALUE] = source[where] * real[_SHARE + a] * real[_SHARE + 2 + b]
                    if largest:
                        first = real[_FIRST] != const(0, kind)
                        out[place] = tir.Select(first, real[_VALUE], larger(out[place], real[_VALUE]))
                        real[_FIRST] = const(0, kind)
                    else:
                        out[place] = out[place] + real[_VALUE]
            if not largest:
                total = tir.max(whole[_COUNT] * whole[_COUNT + 1], tir.const(1, "int64"))
                out[place] = out[place] / total.astype(kind)

    shape = [count, channels, height, width]
    results = loops([(shape, kind), ([10], kind), ([6], "int64")], [x, rois, images], body, "roi_align")
    return results[0]


_FIRST, _VALUE, _BIN, _AT, _SHARE = 0, 1, 2, 4, 6
_COUNT, _INDEX = 0, 2
"""Places in the scratch tensors of RoiAlign, of reals and of integers."""


def _bracket(real: Any, whole: Any, axis: int, size: Expr, kind: str) -> None:
    """Stores both neighbours of a position on an axis and their weights, 0 beyond the axis."""
    one, zero = const(1, kind), const(0, kind)
    at, first, second = real[_AT + axis], _INDEX + 2 * axis, _SHARE + 2 * axis
    valid = tir.all(at >= zero - one, at <= _real(size, kind))
    inside = tir.max(tir.min(at, _real(size - 1, kind)), zero)
    whole[first] = tir.floor(inside).astype("int64")
    whole[first + 1] = tir.min(whole[first] + 1, tir.const(int(size), "int64") - 1
                               if isinstance(sz.number(size), int) else size - 1)  # fmt: skip
    real[second + 1] = tir.Select(valid, inside - whole[first].astype(kind), zero)
    real[second] = tir.Select(valid, one - (inside - whole[first].astype(kind)), zero)


@kernel("max_roi_pool")
def max_roi_pool(x: Tensor, rois: Tensor, *, height: int, width: int, scale: float) -> Tensor:
    """The largest pixel of each bin of regions (count, 5): image, x, y, x, y."""
    kind = dtype_of(x)
    count, channels, rows, columns = rois.shape[0], x.shape[1], x.shape[2], x.shape[3]

    def body(ins: list[Any], outs: list[Any]) -> None:
        source, regions = ins
        (out,) = outs

        def edge(r: Expr, k: int) -> Expr:
            return tir.floor(regions[r * 5 + k] * const(scale, kind) + const(0.5, kind)).astype("int64")

        def span(r: Expr, k: int, bin_: Expr, bins: int, size: Expr) -> tuple[Expr, Expr]:
            start, one = edge(r, k), tir.const(1, "int64")
            length = tir.max(edge(r, k + 2) - start + one, one).astype(kind) / const(bins, kind)
            low = tir.floor(bin_.astype(kind) * length).astype("int64") + start
            high = tir.ceil((bin_.astype(kind) + const(1, kind)) * length).astype("int64") + start
            zero = tir.const(0, "int64")
            return tir.max(tir.min(low, size), zero), tir.max(tir.min(high, size), zero)

        with script.serial(0, count * channels * (height * width)) as i:
            r, c = i // (channels * height * width), i // (height * width) % channels
            top, bottom = span(r, 2, i // width % height, height, rows)
            left, right = span(r, 1, i % width, width, columns)
            image = sz.within(regions[r * 5].astype("int64"), x.shape[0])
            base = (image * channels + c) * (rows * columns)
            empty = tir.any(bottom <= top, right <= left)
            out[i] = tir.Select(empty, const(0, kind), const(float("-inf"), kind))
            with script.serial(0, tir.max(bottom - top, tir.const(0, "int64"))) as dy:
                with script.serial(0, tir.max(right - left, tir.const(0, "int64"))) as dx:
                    out[i] = larger(out[i], source[base + (top + dy) * columns + left + dx])

    return loops([([count, channels, height, width], kind)], [x, rois], body, "max_roi_pool")


@kernel("col2im")
def col2im(
    x: Tensor,
    *,
    image: Sequence[int],
    block: Sequence[int],
    strides: Sequence[int],
    pads: Sequence[int],
    dilations: Sequence[int],
) -> Tensor:
    """Sums the columns (N, C * taps, blocks) that fall on each pixel."""
    rank = len(image)
    counts = [
        (d + pads[i] + pads[i + rank] - (k - 1) * dilations[i] - 1) // strides[i] + 1
        for i, (d, k) in enumerate(zip(image, block, strict=True))
    ]
    taps = [te.reduce_axis((0, k), name=f"r{i}") for i, k in enumerate(block)]
    area = 1
    for k in block:
        area *= k

    def value(n: Expr, c: Expr, *at: Expr) -> Expr:
        ahead = [i + pads[k] - t.var * dilations[k] for k, (i, t) in enumerate(zip(at, taps, strict=True))]
        places = [tir.floordiv(a, s) for a, s in zip(ahead, strides, strict=True)]
        checks = [tir.floormod(a, s) == 0 for a, s in zip(ahead, strides, strict=True)]
        checks += [p >= 0 for p in places] + [p < k for p, k in zip(places, counts, strict=True)]
        tap = sz.ravel([t.var for t in taps], block)
        read = tir.if_then_else(
            tir.all(*checks), x(n, c * area + tap, sz.ravel(places, counts)), const(0, dtype_of(x))
        )
        return te.sum(read, axis=taps)

    return compute([x.shape[0], x.shape[1] // area, *image], value, "col2im")


@kernel("unpool")
def unpool(x: Tensor, indices: Tensor, *, shape: Sequence[int]) -> Tensor:
    """Writes elements to flat places of zeros."""

    def body(ins: list[Any], outs: list[Any]) -> None:
        source, at = ins
        (out,) = outs
        with script.serial(0, product(shape)) as i:
            out[i] = const(0, dtype_of(x))
        with script.serial(0, product(x.shape)) as i:
            with script.If(sz.is_within(at[i], product(shape))), script.Then():
                out[at[i]] = source[i]

    return loops([(shape, dtype_of(x))], [x, indices], body, "unpool")


@kernel("determinant")
def determinant(x: Tensor) -> Tensor:
    """The determinant of the last two axes, by elimination with pivots."""
    kind, size = dtype_of(x), x.shape[-1]
    batch = list(x.shape[:-2])
    count = product(batch)
    one, zero = const(1, kind), const(0, kind)

    def body(ins: list[Any], outs: list[Any]) -> None:
        (source,), (out, a, pivot) = ins, outs
        with script.serial(0, count) as n:
            out[n] = one
            with script.serial(0, size * size) as i:
                a[i] = source[n * (size * size) + i]
            with script.serial(0, size) as k:
                pivot[0] = k.astype("int64")
                with script.serial(0, size - k) as r:
                    row = k + r
                    with script.If(tir.abs(a[row * size + k]) > tir.abs(a[pivot[0] * size + k])):
                        with script.Then():
                            pivot[0] = row.astype("int64")
                with script.If(pivot[0] != k.astype("int64")), script.Then():
                    out[n] = zero - out[n]
                    with script.serial(0, size) as j:
                        a[size * size] = a[k * size + j]
                        a[k * size + j] = a[pivot[0] * size + j]
                        a[pivot[0] * size + j] = a[size * size]
                out[n] = out[n] * a[k * size + k]
                with script.If(a[k * size + k] != zero), script.Then():
                    with script.serial(0, size - 1 - k) as r:
                        row = k + 1 + r
                        a[size * size] = a[row * size + k] / a[k * size + k]
                        with script.serial(0, size - k) as j:
                            at = row * size + k + j
                            a[at] = a[at] - a[size * size] * a[k * size + k + j]

    results = loops([(batch, kind), ([size * size + 1], kind), ([1], "int64")], [x], body, "determinant")
    return results[0]
