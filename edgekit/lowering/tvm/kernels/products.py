"""Matrix products and convolutions."""

from __future__ import annotations

from collections.abc import Sequence

from edgekit.lowering.tvm.adapter import Expr, Tensor, dtype_of, relax, te, tir
from edgekit.lowering.tvm.kernels.common import broadcast, compute, const, element
from edgekit.lowering.tvm.kernels.table import kernel


@kernel("matmul")
def matmul(a: Tensor, b: Tensor, *, wide: str | None = None) -> Tensor:
    """(..., M, K) times (..., K, N), batch axes broadcast; `wide` is the dtype to sum in."""
    k = te.reduce_axis((0, a.shape[-1]), name="k")
    batch = broadcast(a.shape[:-2], b.shape[:-2]) if len(a.shape) > 2 or len(b.shape) > 2 else []
    shape = [*batch, a.shape[-2], b.shape[-1]]

    def value(*i: Expr) -> Expr:
        left = element(a, [*i[:-2], i[-2], k.var], [*batch, a.shape[-2], a.shape[-1]])
        right = element(b, [*i[:-2], k.var, i[-1]], [*batch, b.shape[-2], b.shape[-1]])
        return te.sum(_product(left, right, wide), axis=k)

    return compute(shape, value, "matmul")


def _product(a: Expr, b: Expr, wide: str | None) -> Expr:
    return a * b if wide is None else a.astype(wide) * b.astype(wide)


@kernel("conv2d", relax=True)
def conv2d(
    x: Expr, w: Expr, *, strides: Sequence[int], pads: Sequence[int], dilations: Sequence[int], groups: int
) -> Expr:
    """Convolves (N, C, H, W) with (M, C / groups, kh, kw); pads are top, left, bottom, right."""
    return relax.op.nn.conv2d(x, w, list(strides), list(pads), list(dilations), groups)


@kernel("conv")
def conv(
    x: Tensor,
    w: Tensor,
    *,
    strides: Sequence[int],
    pads: Sequence[int],
    dilations: Sequence[int],
    groups: int,
    wide: str | None = None,
) -> Tensor:
    """Convolves (N, C, ...) with (M, C / groups, ...) over any number of axes; `wide` is what to sum in."""
    rank = len(strides)
    padded = _padded(x, pads[:rank], pads[rank:])
    channels = w.shape[1]
    per_group = w.shape[0] // groups
    c = te.reduce_axis((0, channels), name="rc")
    taps = [te.reduce_axis((0, w.shape[2 + i]), name=f"r{i}") for i in range(rank)]
    sizes = [
        (padded.shape[2 + i] - (w.shape[2 + i] - 1) * dilations[i] - 1) // strides[i] + 1 for i in range(rank)
    ]

    def value(n: Expr, m: Expr, *at: Expr) -> Expr:
        channel = c if groups == 1 else (m // per_group) * channels + c
        places = [i * s + t * d for i, s, t, d in zip(at, strides, taps, dilations, strict=True)]
        return te.sum(_product(padded(n, channel, *places), w(m, c, *taps), wide), axis=[c, *taps])

    return compute([x.shape[0], w.shape[0], *sizes], value, f"conv{rank}d")


def _padded(x: Tensor, before: Sequence[int], after: Sequence[int]) -> Tensor:
    """Puts zeros around the spatial axes of (N, C, ...)."""
    if not any(before) and not any(after):
        return x
    sizes = [d + b + a for d, b, a in zip(x.shape[2:], before, after, strict=True)]

    def read(n: Expr, c: Expr, *i: Expr) -> Expr:
        places = [k - b for k, b in zip(i, before, strict=True)]
        inside = [p >= 0 for p in places] + [p < d for p, d in zip(places, x.shape[2:], strict=True)]
        return tir.if_then_else(tir.all(*inside), x(n, c, *places), const(0, dtype_of(x)))

    return compute([*x.shape[:2], *sizes], read, "pad_temp")


@kernel("conv_transpose")
def conv_transpose(
    x: Tensor,
    w: Tensor,
    *,
    strides: Sequence[int],
    pads: Sequence[int],
    dilations: Sequence[int],
    groups: int,
    extra: Sequence[int],
    wide: str | None = None,
) -> Tensor:
    """Transposed convolution of (N, C, ...) with (C, M / groups, ...).

    `extra` is added to the size, `wide` is the dtype to sum in.
    """
    rank = len(strides)
    per_group, channels = w.shape[1], w.shape[0] // groups
    kernel_sizes = [int(d) for d in w.shape[2:]]
    sizes = [
        (x.shape[2 + i] - 1) * strides[i] + (kernel_sizes[i] - 1) * dilations[i] + 1 - pads[i]
        - pads[rank + i] + extra[i]
        for i in range(rank)
    ]  # fmt: skip
    c = te.reduce_axis((0, channels), name="rc")
    taps = [te.reduce_axis((0, k), name=f"r{i}") for i, k in enumerate(kernel_sizes)]

    def value(n: Expr, m: Expr, *at: Expr) -> Expr:
        group = m // per_group if groups > 1 else 0
        ahead = [i + p - t * d for i, p, t, d in zip(at, pads[:rank], taps, dilations, strict=True)]
        places = [tir.floordiv(a, s) for a, s in zip(ahead, strides, strict=True)]
        meets = [tir.floormod(a, s) == 0 for a, s in zip(ahead, strides, strict=True) if s > 1]
        inside = [p >= 0 for p in places] + [p < d for p, d in zip(places, x.shape[2:], strict=True)]
        read = tir.if_then_else(
            tir.all(*meets, *inside), x(n, group * channels + c, *places), const(0, dtype_of(x))
        )
        weight = w(group * channels + c, m % per_group if groups > 1 else m, *taps)
        return te.sum(_product(read, weight, wide), axis=[c, *taps])

    return compute([x.shape[0], per_group * groups, *sizes], value, f"conv{rank}d_transpose")


@kernel("einsum")
def einsum(*operands: Tensor, terms: Sequence[str], result: str) -> Tensor:
    """Sums products over the letters that the result does not have; upper-case letters broadcast."""
    sizes: dict[str, Expr] = {}
    for x, term in zip(operands, terms, strict=True):
        for letter, size in zip(term, x.shape, strict=True):
            sizes[letter] = broadcast([sizes.get(letter, 1)], [size])[0]
    summed = {
        letter: te.reduce_axis((0, size), name=f"k_{i}")
        for i, (letter, size) in enumerate(sizes.items())
        if letter not in result
    }

    def value(*i: Expr) -> Expr:
        index = dict(zip(result, i, strict=True)) | {k: v.var for k, v in summed.items()}
        total = None
        for x, term in zip(operands, terms, strict=True):
            factor = element(x, [index[k] for k in term], [sizes[k] for k in term])
            total = factor if total is None else total * factor
        return te.sum(total, axis=list(summed.values())) if summed else total

    return compute([sizes[k] for k in result], value, "einsum")
