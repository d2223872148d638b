"""RoiAlign by GATHER and arithmetic on positions."""

from __future__ import annotations

import functools

import numpy as np

from edgekit.lowering.ledger import Value
from edgekit.lowering.op import Op
from edgekit.lowering.tflite import sampling
from edgekit.lowering.tflite.builder import TFLiteBuilder
from edgekit.lowering.tflite.formula import Term, constant
from edgekit.lowering.tflite.kernels import carrier
from edgekit.lowering.tflite.spatial import channels_first, split
from edgekit.lowering.tflite.table import lowers


@lowers("RoiAlign", since=22)
def roi_align(b: TFLiteBuilder, n: Op) -> Value:
    """RoiAlign -> GATHER of the neighbours of each sample, weighted, pooled over each bin.

    Source: ONNX operator schema of RoiAlign; what the schema leaves open is as in ONNX Runtime:
    samples more than a pixel outside count as zero, and `max` compares the weighted neighbours.
    """
    x, rois, images = n.operand(0), n.operand(1), n.operand(2)
    ratio = n.attr("sampling_ratio", 0)
    if ratio <= 0:
        n.refuse("`sampling_ratio` 0: the number of samples depends on each region", code="EK305")
    real = carrier(x.dtype, ("float32",))
    pixels = sampling.of_all_images(b, b.cast(x, real))
    corner = (rois.shape[0], 1, 1, 1)
    sides = split(b, b.cast(rois, real), 4, 1)
    left, top, right, bottom = (Term(b, part).reshape(corner) for part in sides)
    image = Term(b, images).cast(np.float32).reshape(corner)
    height, width = n.attr("output_height", 1), n.attr("output_width", 1)
    taps = [
        sampling.Taps((image,), (None,)),
        _axis(n, top, bottom, _samples(height, ratio).reshape(1, -1, 1, 1), pixels.sizes[1] or 0, height),
        _axis(n, left, right, _samples(width, ratio).reshape(1, 1, -1, 1), pixels.sizes[2] or 0, width),
    ]
    parts = sampling.weighted(pixels, taps, zeros=False)
    largest = n.attr("mode") == "max"
    samples = functools.reduce(Term.maximum if largest else Term.__add__, parts)
    attrs = {
        "padding": "VALID",
        "stride_h": ratio,
        "stride_w": ratio,
        "filter_height": ratio,
        "filter_width": ratio,
        "fused_activation_function": "NONE",
    }
    pooled = b.op("MAX_POOL_2D" if largest else "AVERAGE_POOL_2D", [samples.value], attrs)
    return b.cast(channels_first(b, pooled), x.dtype)


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
    position = begin + (length / bins) * constant(start.b, samples)
    valid = ((position >= -1) & (position <= size)).cast(np.float32)
    inside = position.clip(0, size - 1)
    low = inside.floor()
    share = inside - low
    return sampling.Taps((low, (low + 1).minimum(size - 1)), ((1 - share) * valid, share * valid))
