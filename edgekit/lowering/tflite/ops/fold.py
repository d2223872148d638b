"""Ops that put elements at given places of a larger image: Col2Im and MaxUnpool."""

from __future__ import annotations

import math

import numpy as np

from edgekit.lowering.ledger import Value
from edgekit.lowering.op import Op
from edgekit.lowering.tflite import sizes as sz
from edgekit.lowering.tflite.builder import TFLiteBuilder
from edgekit.lowering.tflite.kernels import carried
from edgekit.lowering.tflite.spatial import crop_or_pad
from edgekit.lowering.tflite.table import lowers


@lowers("Col2Im", since=18)
def col2im(b: TFLiteBuilder, n: Op) -> Value:
    """Col2Im -> SCATTER_ND, which sums what falls on one pixel, into the padded image; then a crop."""
    x = n.operand(0)
    image, block = n.known(1, "image_shape").tolist(), n.known(2, "block_shape").tolist()
    rank = len(image)
    strides, dilations = n.attr("strides") or (1,) * rank, n.attr("dilations") or (1,) * rank
    pads = n.attr("pads") or (0,) * (2 * rank)
    whole = [d + pads[i] + pads[i + rank] for i, d in enumerate(image)]
    counts = [
        (d - (k - 1) * a - 1) // s + 1 for d, k, a, s in zip(whole, block, dilations, strides, strict=True)
    ]
    channels = x.shape[1]
    if channels is None:
        n.refuse("the number of channels is known only at run time", code="EK305")
    depth, blocks, taps = channels // math.prod(block), math.prod(counts), math.prod(block)
    tap = np.stack(np.meshgrid(*map(np.arange, block), indexing="ij")).reshape(rank, -1, 1)
    place = np.stack(np.meshgrid(*map(np.arange, counts), indexing="ij")).reshape(rank, 1, -1)
    spots = [t * a + p * s for t, p, a, s in zip(tap, place, dilations, strides, strict=True)]
    flat = np.ravel_multi_index(tuple(np.broadcast_arrays(*spots)), tuple(whole)).reshape(-1, 1)

    def scatter(v: Value) -> Value:
        images = sz.product(b, [sz.size_of(b, v, 0), depth])
        rows = b.transpose(sz.reshape(b, v, [images, taps * blocks]), (1, 0))
        shape = [math.prod(whole), images]
        operands = [b.const(flat.astype(np.int32)), rows, sz.pack(b, shape)]
        summed = b.op("SCATTER_ND", operands, dtype=v.dtype, shape=sz.static(shape))
        full = sz.reshape(b, b.transpose(summed, (1, 0)), [sz.size_of(b, v, 0), depth, *whole])
        cut = [(-pads[i], -pads[i + rank]) for i in range(rank)]
        return crop_or_pad(b, full, [(0, 0), (0, 0), *cut])

    return carried(b, [x], ("float32",), scatter)


@lowers("MaxUnpool", since=22)
def max_unpool(b: TFLiteBuilder, n: Op) -> Value:
    """MaxUnpool -> SCATTER_ND into the flattened image."""
    x, indices = n.operand(0), n.operand(1)
    shape = x.static_shape
    if shape is None:
        n.refuse("an input of a size known only at run time", code="EK305")
    kernel = n.attr("kernel_shape")
    strides, pads = n.attr("strides") or (1,) * len(kernel), n.attr("pads") or (0,) * (2 * len(kernel))
    if any(k > s for k, s in zip(kernel, strides, strict=True)):
        n.refuse("overlapping windows, whose maxima may fall on one place; SCATTER_ND would add them")
    image = [
        (d - 1) * s + k - pads[i] - pads[i + len(kernel)]
        for i, (d, s, k) in enumerate(zip(shape[2:], strides, kernel, strict=True))
    ]
    full = (*shape[:2], *image)
    if n.input(2) is not None and n.known(2, "output_shape").tolist() != list(full):
        n.refuse(f"an `output_shape` other than {list(full)}; what indices then mean is not settled")

    def scatter(v: Value) -> Value:
        places = b.reshape(b.cast(indices, np.int32), (math.prod(shape), 1))
        operands = [places, b.reshape(v, (math.prod(shape),)), b.ints([math.prod(full)])]
        spread = b.op("SCATTER_ND", operands, dtype=v.dtype, shape=(math.prod(full),))
        return b.reshape(spread, full)

    return carried(b, [x], ("float32",), scatter)
