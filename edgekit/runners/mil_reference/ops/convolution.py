"""Convolutions as products of matrices, summed over the taps of the kernel."""

from __future__ import annotations

import itertools
import math

import numpy as np

from edgekit.runners.mil_reference.ops.axes import per_channel
from edgekit.runners.mil_reference.ops.windows import windows
from edgekit.runners.mil_reference.refusal import Refusal, claim, require
from edgekit.runners.mil_reference.table import Ints, Real, evaluates
from edgekit.runners.mil_reference.types import Array

_MOST_COLUMNS = 2**24
"""How many elements the taps that are multiplied at once may see."""


@evaluates("conv", alike=("x", "weight", "bias"))
def conv_15(
    x: Real,
    weight: Real,
    bias: Array | None = None,
    strides: Ints | None = None,
    pad_type: str = "valid",
    pad: Ints | None = None,
    dilations: Ints | None = None,
    groups: int = 1,
) -> Array:
    """Convolves; see `conv`."""
    return np.asarray(conv(x, weight, bias, strides, pad_type, pad, dilations, groups))


@evaluates("conv", since=17, alike=("weight", "bias"))
def conv(
    x: Real,
    weight: Real,
    bias: Array | None = None,
    strides: Ints | None = None,
    pad_type: str = "valid",
    pad: Ints | None = None,
    dilations: Ints | None = None,
    groups: int = 1,
) -> Array:
    """Convolves `[N, C, *spatial]` with `[M, C / groups, *kernel]`."""
    require(3 <= x.ndim <= 5 and weight.ndim == x.ndim, f"x has the rank {x.ndim}, the weight {weight.ndim}")
    channels, filters = x.shape[1], weight.shape[0]
    require(
        groups >= 1 and filters % groups == 0 and weight.shape[1] * groups == channels,
        f"{channels} channels in {groups} groups do not go with weights {list(weight.shape)}",
    )
    w = windows(x.shape[2:], weight.shape[2:], strides, pad_type, pad, dilations)
    claim((x.shape[0], filters, *w.counts))
    edges = [(0, 0), (0, 0), *zip(w.before, w.after, strict=True)]
    padded = np.pad(x, edges) if any(w.before + w.after) else x
    taps = list(w.taps())
    length = math.prod(w.counts)
    kernels = weight.reshape(groups, filters // groups, weight.shape[1], -1)
    result = np.zeros((x.shape[0], groups, filters // groups, length), np.float32)
    several = max(_MOST_COLUMNS // max(x.shape[0] * channels * length, 1), 1)
    for first in range(0, len(taps), several):
        chosen = slice(first, first + several)
        result += _product(padded, taps[chosen], kernels[..., chosen], length)
    return _biased(result.reshape(x.shape[0], filters, *w.counts), bias)


def _product(x: Array, taps: list[tuple[slice, ...]], kernels: Array, length: int) -> Array:
    """Multiplies what some taps see by their weights `[groups, filters, channels, taps]`."""
    groups, filters, channels, _ = kernels.shape
    every = slice(None)
    seen = [x[(every, every, *places)].reshape(x.shape[0], groups, 1, channels, length) for places in taps]
    columns = seen[0] if len(seen) == 1 else np.concatenate(seen, 2)
    rows = kernels.swapaxes(2, 3).reshape(groups, filters, -1)
    return np.asarray(rows @ columns.reshape(x.shape[0], groups, -1, length))


@evaluates("conv_transpose", alike=("x", "weight", "bias"))
def conv_transpose_15(
    x: Real,
    weight: Real,
    bias: Array | None = None,
    pad: Ints | None = None,
    output_shape: Ints | None = None,
    pad_type: str = "valid",
    strides: Ints | None = None,
    dilations: Ints | None = None,
    groups: int = 1,
) -> Array:
    """Spreads a convolution; see `conv_transpose`."""
    return np.asarray(
        conv_transpose(x, weight, bias, pad, output_shape, pad_type, strides, dilations, groups)
    )


@evaluates("conv_transpose", since=17, alike=("weight", "bias"))
def conv_transpose(
    x: Real,
    weight: Real,
    bias: Array | None = None,
    pad: Ints | None = None,
    output_shape: Ints | None = None,
    pad_type: str = "valid",
    strides: Ints | None = None,
    dilations: Ints | None = None,
    groups: int = 1,
) -> Array:
    """Spreads `[N, C, *spatial]` by `[C, M / groups, *kernel]`: each element adds a kernel to the result."""
    require(3 <= x.ndim <= 5 and weight.ndim == x.ndim, f"x has the rank {x.ndim}, the weight {weight.ndim}")
    n, channels, sizes, kernel = x.ndim - 2, x.shape[1], x.shape[2:], weight.shape[2:]
    strides, dilations = strides or (1,) * n, dilations or (1,) * n
    require(
        len(strides) == len(dilations) == n and min(*strides, *dilations) >= 1,
        "strides or dilations do not fit",
    )
    require(
        weight.shape[0] == channels and groups >= 1 and channels % groups == 0,
        "weights and groups do not fit",
    )
    full = claim(
        [
            (s - 1) * st + (k - 1) * d + 1
            for s, st, k, d in zip(sizes, strides, kernel, dilations, strict=True)
        ]
    )
    filters = weight.shape[1] * groups
    claim((x.shape[0], filters, *full))
    spread = np.zeros((x.shape[0], filters, *full), np.float32)
    grouped = x.reshape(x.shape[0], groups, channels // groups, -1)
    kernels = weight.reshape(groups, channels // groups, weight.shape[1], -1)
    for i, tap in enumerate(itertools.product(*map(range, kernel))):
        part = kernels[..., i].swapaxes(1, 2) @ grouped
        places = tuple(
            slice(t * d, t * d + (s - 1) * st + 1, st)
            for t, d, s, st in zip(tap, dilations, sizes, strides, strict=True)
        )
        spread[(slice(None), slice(None), *places)] += part.reshape(x.shape[0], filters, *sizes)
    before, wanted = _crop(full, sizes, strides, pad_type, pad, output_shape, filters)
    grown = np.pad(
        spread,
        [(0, 0), (0, 0), *((0, max(b + w - f, 0)) for b, w, f in zip(before, wanted, full, strict=True))],
    )
    return _biased(
        grown[(slice(None), slice(None), *(slice(b, b + w) for b, w in zip(before, wanted, strict=True)))],
        bias,
    )


def _crop(
    full: tuple[int, ...],
    sizes: tuple[int, ...],
    strides: tuple[int, ...],
    pad_type: str,
    pad: Ints | None,
    output_shape: Ints | None,
    filters: int,
) -> tuple[list[int], list[int]]:
    """Returns where the result starts in the full one, and its sizes.

    With a given shape the padding in front stays, and the end moves.
    """
    n = len(full)
    if pad_type == "custom":
        require(pad is not None and len(pad) == 2 * n and min(pad, default=0) >= 0, f"`pad` is {pad}")
        before = list(pad[0::2])  # type: ignore[index]
        wanted = [f - b - a for f, b, a in zip(full, before, pad[1::2], strict=True)]  # type: ignore[index]
    elif pad_type == "valid":
        before, wanted = [0] * n, list(full)
    elif pad_type in ("same", "same_lower"):
        wanted = [s * st for s, st in zip(sizes, strides, strict=True)]
        cut = [max(f - w, 0) for f, w in zip(full, wanted, strict=True)]
        before = [c // 2 if pad_type == "same" else c - c // 2 for c in cut]
    else:
        raise Refusal(f"`pad_type` is `{pad_type}`")
    if output_shape is not None:
        require(
            len(output_shape) == n + 2 and output_shape[1] == filters,
            f"`output_shape` is {list(output_shape)}",
        )
        wanted = list(output_shape[2:])
    require(min(wanted) >= 1, f"the result would have the sizes {wanted}")
    claim((filters, *wanted))
    return before, wanted


def _biased(x: Array, bias: Array | None) -> Array:
    return x if bias is None else x + per_channel(bias, x, "bias")
