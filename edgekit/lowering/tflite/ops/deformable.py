"""DeformConv: samples at positions computed at run time, then a matrix product with the weights."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from edgekit.lowering.ledger import Value
from edgekit.lowering.op import Op
from edgekit.lowering.tflite import sampling
from edgekit.lowering.tflite import sizes as sz
from edgekit.lowering.tflite.builder import TFLiteBuilder
from edgekit.lowering.tflite.formula import Term, constant
from edgekit.lowering.tflite.kernels import carrier
from edgekit.lowering.tflite.ops.matmul import fully_connected
from edgekit.lowering.tflite.spatial import channels_first, split
from edgekit.lowering.tflite.table import lowers
from edgekit.lowering.tflite.window import windows


@lowers("DeformConv", since=22)
def deform_conv(b: TFLiteBuilder, n: Op) -> Value:
    """DeformConv -> GATHER of the neighbours of each tap, weighted, then FULLY_CONNECTED.

    Source: ONNX operator schema of DeformConv; taps beyond the image count as zero.
    """
    x, w, offset = n.operand(0), n.operand(1), n.operand(2)
    kernel, out = w.static_shape, offset.shape[2:]
    if kernel is None or None in out or None in x.shape[1:]:
        n.refuse("weights, channels or sizes known only at run time", code="EK305")
    real = carrier(x.dtype, ("float32",))
    sizes = tuple(d or 0 for d in out)
    taps, places = math.prod(kernel[2:]), math.prod(sizes)
    groups = n.attr("offset_group", 1)
    images = split(b, b.cast(x, real), groups, 1)
    offsets = _by_group(b, b.cast(offset, real), groups, taps, len(sizes), places)
    masks = None if n.input(4) is None else _by_group(b, b.cast(n.operand(4), real), groups, taps, 1, places)
    centres = _centres(n, kernel[2:], x.shape[2:], sizes)
    sampled = []
    for g in range(groups):
        positions = [o + constant(b, c) for o, c in zip(offsets[g], centres, strict=True)]
        neighbours = [sampling.linear(p) for p in positions]
        values = sampling.interpolate(sampling.per_image(b, images[g]), neighbours, zeros=True)
        values = values if masks is None else values * masks[g][0]
        sampled.append(values.reshape((x.shape[0], taps, places, values.shape[2])).value)
    columns = b.transpose(b.concat(sampled, 3), (0, 2, 1, 3))  # (batch, places, taps, channels)
    y = _weighted(b, n, columns, b.cast(w, real), real)
    image = sz.reshape(b, y, [sz.size_of(b, x, 0), *sizes, kernel[0]])
    return b.cast(channels_first(b, image), x.dtype)


def _by_group(b: TFLiteBuilder, x: Value, groups: int, taps: int, axes: int, places: int) -> list[list[Term]]:
    """Splits (batch, groups * taps * axes, ...) into (batch, taps * places, 1) by group and axis."""
    parts = b.reshape(x, (x.shape[0], groups, taps, axes, places))
    ordered = b.transpose(parts, (1, 3, 0, 2, 4))
    return [
        [Term(b, b.reshape(part, (x.shape[0], taps * places, 1))) for part in split(b, group, axes, 1)]
        for group in split(b, ordered, groups, 0)
    ]


def _centres(
    n: Op, kernel: Sequence[int], sizes: Sequence[int | None], out: Sequence[int]
) -> list[np.ndarray]:
    """Returns where each tap of each output lies along each axis: (1, taps * places, 1)."""
    slides = windows(n, kernel, tuple(sizes))
    tap = np.stack(np.meshgrid(*map(np.arange, kernel), indexing="ij")).reshape(len(kernel), -1, 1)
    place = np.stack(np.meshgrid(*map(np.arange, out), indexing="ij")).reshape(len(out), 1, -1)
    return [
        (p * w.stride - w.before + t * w.dilation).reshape(1, -1, 1)
        for w, t, p in zip(slides, tap, place, strict=True)
    ]


def _weighted(b: TFLiteBuilder, n: Op, columns: Value, w: Value, real: np.dtype) -> Value:
    """Multiplies (batch, places, taps, channels) by the weights: (batch, places, outputs)."""
    outputs, inputs = w.shape[0] or 0, w.shape[1] or 0
    batch, places, taps, channels = columns.shape
    groups = (channels or 0) // inputs
    bias = np.zeros(outputs, np.float32) if n.input(3) is None else n.operand(3)
    offset = b.const(bias) if isinstance(bias, np.ndarray) else b.cast(bias, real)
    matrix = b.transpose(b.reshape(w, (outputs, inputs, taps)), (0, 2, 1))
    parts = zip(
        split(b, columns, groups, 3), split(b, matrix, groups, 0), split(b, offset, groups, 0), strict=True
    )
    results = []
    for column, weights, bias_part in parts:
        flat = b.reshape(column, (batch, places, (taps or 0) * inputs))
        rows = b.reshape(weights, (outputs // groups, (taps or 0) * inputs))
        results.append(fully_connected(b, flat, rows, bias_part))
    return b.concat(results, 2)
