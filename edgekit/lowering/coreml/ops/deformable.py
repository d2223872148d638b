"""DeformConv: samples at positions computed at run time, then a matrix product with the weights."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edgekit.lowering.coreml import sampling
from edgekit.lowering.coreml.builder import CoreMlBuilder
from edgekit.lowering.coreml.formula import Term
from edgekit.lowering.coreml.ops.matmul import product
from edgekit.lowering.coreml.parts import split
from edgekit.lowering.coreml.table import lowers
from edgekit.lowering.coreml.window import windows
from edgekit.lowering.ledger import Value
from edgekit.lowering.op import Op


@lowers("DeformConv", since=22)
def deform_conv(b: CoreMlBuilder, n: Op) -> Value:
    """DeformConv -> gather of the neighbours of each tap, weighted, then linear or matmul.

    Source: ONNX operator schema of DeformConv; taps beyond the image count as zero.
    """
    x, w, offset = n.operand(0), n.operand(1), n.operand(2)
    kernel, shape, given = w.static_shape, x.static_shape, offset.static_shape
    if kernel is None or shape is None or given is None:
        n.refuse("an input of a size known only at run time", code="EK305")
    sizes, groups = given[2:], int(n.attr("offset_group", 1))
    taps, places = math.prod(kernel[2:]), math.prod(sizes)
    real = np.float32
    offsets = _by_group(b, b.cast(offset, real), groups, taps, len(sizes), places)
    masks = None if n.input(4) is None else _by_group(b, b.cast(n.operand(4), real), groups, taps, 1, places)
    centres = _centres(n, kernel[2:], shape[2:], sizes)
    sampled = []
    for g, image in enumerate(split(b, b.cast(x, real), groups, 1)):
        positions = [o + Term(b, b.const(c, real)) for o, c in zip(offsets[g], centres, strict=True)]
        neighbours = [sampling.linear(p) for p in positions]
        values = sampling.interpolate(sampling.per_image(b, image), neighbours, zeros=True)
        values = values if masks is None else values * masks[g][0]
        sampled.append(b.reshape(values.value, (shape[0], taps, places, shape[1] // groups)))
    columns = b.transpose(b.concat(sampled, 3), (0, 2, 1, 3))  # (batch, places, taps, channels)
    y = _weighted(b, n, columns, b.cast(w, real))
    image_like = b.reshape(y, (shape[0], *sizes, kernel[0]))
    return b.cast(sampling.channels_first(b, image_like), x.dtype)


def _by_group(b: CoreMlBuilder, x: Value, groups: int, taps: int, axes: int, places: int) -> list[list[Term]]:
    """Splits (batch, groups * taps * axes, ...) into (batch, taps * places, 1) by group and axis."""
    parts = b.reshape(x, (x.shape[0], groups, taps, axes, places))
    ordered = b.transpose(parts, (1, 3, 0, 2, 4))
    return [
        [Term(b, b.reshape(part, (x.shape[0], taps * places, 1))) for part in split(b, group, axes, 1)]
        for group in split(b, ordered, groups, 0)
    ]


def _centres(
    n: Op, kernel: Sequence[int], sizes: Sequence[int], out: Sequence[int]
) -> list[NDArray[np.int64]]:
    """Returns where each tap of each output lies along each axis: (1, taps * places, 1)."""
    slides = windows(n, kernel, tuple(sizes))
    tap = np.stack(np.meshgrid(*map(np.arange, kernel), indexing="ij")).reshape(len(kernel), -1, 1)
    place = np.stack(np.meshgrid(*map(np.arange, out), indexing="ij")).reshape(len(out), 1, -1)
    return [
        (p * w.stride - w.begin + t * w.dilation).reshape(1, -1, 1)
        for w, t, p in zip(slides, tap, place, strict=True)
    ]


def _weighted(b: CoreMlBuilder, n: Op, columns: Value, w: Value) -> Value:
    """Multiplies (batch, places, taps, channels) by the weights: (batch, places, outputs)."""
    outputs, inputs = w.shape[0] or 0, w.shape[1] or 0
    batch, places, taps, channels = columns.shape
    groups, depth = (channels or 0) // inputs, (taps or 0) * inputs
    matrix = b.transpose(b.reshape(w, (outputs, inputs, taps)), (0, 2, 1))
    results = []
    for column, weights in zip(split(b, columns, groups, 3), split(b, matrix, groups, 0), strict=True):
        rows = b.reshape(weights, (outputs // groups, depth))
        flat = b.reshape(column, (batch, places, depth))
        results.append(product(b, flat, b.transpose(rows, (1, 0))))
    made = b.concat(results, 2)
    return made if n.input(3) is None else b.binary("add", made, b.cast(n.operand(3), np.float32))
