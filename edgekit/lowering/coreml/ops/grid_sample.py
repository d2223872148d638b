"""GridSample by gather and arithmetic on positions."""

from __future__ import annotations

import dataclasses

import numpy as np

from edgekit.lowering.coreml import sampling
from edgekit.lowering.coreml import sizes as sz
from edgekit.lowering.coreml.builder import CoreMlBuilder
from edgekit.lowering.coreml.formula import Term
from edgekit.lowering.coreml.parts import split
from edgekit.lowering.coreml.sampling import channels_first, clipped
from edgekit.lowering.coreml.table import lowers
from edgekit.lowering.ledger import Value
from edgekit.lowering.op import Op


@lowers("GridSample", since=22)
def grid_sample(b: CoreMlBuilder, n: Op) -> Value:
    """GridSample -> positions in pixels, gather of each neighbour, weighted sum.

    Source of the position and padding formulas: ONNX operator schema of GridSample.
    """
    x, grid = n.operand(0), n.operand(1)
    pixels = sampling.per_image(b, b.cast(x, np.float32))
    out = sz.sizes_of(b, grid)[1:-1]
    flat = sz.reshape(
        b, b.cast(grid, np.float32), [sz.size_of(b, grid, 0), sz.product(b, out), len(pixels.sizes)]
    )
    corners = bool(n.attr("align_corners", 0))
    padding = n.attr("padding_mode") or "zeros"
    parts = reversed(split(b, flat, len(pixels.sizes), 2))  # x comes first and is the last axis
    taps = []
    for size, part in zip(pixels.sizes, parts, strict=True):
        assert size is not None
        position = _in_pixels(Term(b, part), size, corners=corners)
        neighbours = _neighbours(n, position)
        placed = tuple(_placed(i, size, padding, corners=corners) for i in neighbours.indices)
        taps.append(dataclasses.replace(neighbours, indices=placed))
    y = sampling.interpolate(pixels, taps, zeros=padding == "zeros")
    image = sz.reshape(b, y.value, [sz.size_of(b, x, 0), *out, sz.size_of(b, x, 1)])
    return b.cast(channels_first(b, image), x.dtype)


def _in_pixels(x: Term, size: int, *, corners: bool) -> Term:
    """Maps [-1, 1] to the centres of the outer pixels, or to their outer edges."""
    return (x + 1) * ((size - 1) / 2) if corners else ((x + 1) * size - 1) * 0.5


def _neighbours(n: Op, position: Term) -> sampling.Taps:
    mode = n.attr("mode") or "linear"
    if mode == "nearest":
        return sampling.nearest(position)
    if mode == "cubic":
        return sampling.cubic(position, -0.75)
    return sampling.linear(position)


def _placed(index: Term, size: int, padding: str, *, corners: bool) -> Term:
    """Brings an index onto the axis; where padding is zeros that is left to the interpolation."""
    if padding == "border":
        return clipped(index, 0, size - 1)
    if padding == "zeros":
        return index
    low = 0.0 if corners else -0.5
    span = size - 1 - 2 * low
    if span == 0:
        return clipped(index, 0, 0)
    distance = (index - low).abs()
    remainder = distance - (distance * (1 / (2 * span))).floor() * (2 * span)
    folded = remainder.minimum(2 * span - remainder) + low
    return clipped(folded, 0, size - 1)
