"""RoiAlign by gather and arithmetic on positions."""

from __future__ import annotations

import functools

import numpy as np

from edgekit.lowering.coreml import sampling
from edgekit.lowering.coreml.builder import CoreMlBuilder
from edgekit.lowering.coreml.formula import Term
from edgekit.lowering.coreml.parts import split
from edgekit.lowering.coreml.sampling import channels_first, clipped
from edgekit.lowering.coreml.table import lowers
from edgekit.lowering.ledger import Value
from edgekit.lowering.op import Op


@lowers("RoiAlign", since=22)
def roi_align(b: CoreMlBuilder, n: Op) -> Value:
    """RoiAlign -> gather of the neighbours of each sample, weighted, pooled over each bin.

    Source: ONNX operator schema of RoiAlign; what the schema leaves open is as in ONNX Runtime:
    samples more than a pixel outside count as zero, and `max` compares the weighted neighbours.
    """
    x, rois, images = n.operand(0), n.operand(1), n.operand(2)
    ratio = n.attr("sampling_ratio", 0)
    if ratio <= 0:
        n.refuse("`sampling_ratio` 0: the number of samples depends on each region", code="EK305")
    pixels = sampling.of_all_images(b, b.cast(x, np.float32))
    corner = (rois.shape[0], 1, 1, 1)
    sides = split(b, b.cast(rois, np.float32), 4, 1)
    left, top, right, bottom = (Term(b, part).reshape(corner) for part in sides)
    image = Term(b, b.int32(images)).cast(np.float32).reshape(corner)
    height, width = n.attr("output_height", 1), n.attr("output_width", 1)
    taps = [
        sampling.Taps((image,), (None,)),
        _axis(n, top, bottom, _samples(height, ratio).reshape(1, -1, 1, 1), pixels.sizes[1] or 0, height),
        _axis(n, left, right, _samples(width, ratio).reshape(1, 1, -1, 1), pixels.sizes[2] or 0, width),
    ]
    parts = sampling.weighted(pixels, taps, zeros=False)
    largest = n.attr("mode") == "max"
    samples = functools.reduce(Term.maximum if largest else Term.__add__, parts)
    params = {"kernel_sizes": [ratio, ratio], "strides": [ratio, ratio], "pad_type": "valid"}
    pooled = b.op("max_pool" if largest else "avg_pool", x=channels_first(b, samples.value), **params)
    return b.cast(pooled, x.dtype)


def _samples(bins: int, ratio: int) -> np.ndarray:
    """Places of the samples in units of a bin."""
    return (np.arange(bins)[:, None] + (np.arange(ratio) + 0.5) / ratio).reshape(-1)


def _axis(n: Op, start: Term, end: Term, samples: np.ndarray, size: int, bins: int) -> sampling.Taps:
    """Returns the neighbours of the samples of each region along one axis."""
    half_pixel = n.attr("coordinate_transformation_mode", "half_pixel") == "half_pixel"
    scale = n.attr("spatial_scale", 1.0)
    begin = start * scale - (0.5 if half_pixel else 0.0)
    length = (end - start) * scale
    length = length if half_pixel else length.maximum(1)
    position = begin + (length / bins) * Term(start.b, start.b.const(samples, np.float32))
    valid = ((position >= -1) & (position <= size)).cast(np.float32)
    inside = clipped(position, 0, size - 1)
    low = inside.floor()
    share = inside - low
    return sampling.Taps((low, (low + 1).minimum(size - 1)), ((1 - share) * valid, share * valid))
