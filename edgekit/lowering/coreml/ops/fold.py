"""Ops that put elements at given places of a larger image: Col2Im and MaxUnpool."""

from __future__ import annotations

import math

import numpy as np

from edgekit.lowering.coreml.builder import CoreMlBuilder
from edgekit.lowering.coreml.movement import crop
from edgekit.lowering.coreml.table import lowers
from edgekit.lowering.ledger import Value
from edgekit.lowering.op import Op


@lowers("Col2Im", since=18)
def col2im(b: CoreMlBuilder, n: Op) -> Value:
    """Col2Im -> scatter, which adds what falls on one pixel, into the padded image; then a crop."""
    x = n.operand(0)
    image, block = n.known(1, "image_shape").tolist(), n.known(2, "block_shape").tolist()
    rank = len(image)
    if x.static_shape is None:
        n.refuse("an input of a size known only at run time", code="EK305")
    if x.dtype.kind != "f":
        n.refuse(f"{x.dtype.name} sums; how far they grow is not known", code="EK303")
    if rank > 3:
        n.refuse(f"an image of {rank} axes; Core ML takes at most 5 with batch and channels")
    strides, dilations = n.attr("strides") or (1,) * rank, n.attr("dilations") or (1,) * rank
    pads = n.attr("pads") or (0,) * (2 * rank)
    whole = [d + pads[i] + pads[i + rank] for i, d in enumerate(image)]
    counts = [
        (d - (k - 1) * a - 1) // s + 1 for d, k, a, s in zip(whole, block, dilations, strides, strict=True)
    ]
    batch, channels = x.static_shape[:2]
    depth, blocks, taps = channels // math.prod(block), math.prod(counts), math.prod(block)
    tap = np.stack(np.meshgrid(*map(np.arange, block), indexing="ij")).reshape(rank, -1, 1)
    place = np.stack(np.meshgrid(*map(np.arange, counts), indexing="ij")).reshape(rank, 1, -1)
    spots = [t * a + p * s for t, p, a, s in zip(tap, place, dilations, strides, strict=True)]
    flat = np.ravel_multi_index(tuple(np.broadcast_arrays(*spots)), tuple(whole)).reshape(-1)
    columns = b.reshape(x, (batch * depth, taps * blocks))
    zeros = b.const(np.zeros((batch * depth, math.prod(whole)), x.dtype))
    summed = b.op("scatter", data=zeros, indices=b.ints(flat.tolist()), updates=columns, axis=1, mode="add")
    full = b.reshape(summed, (batch, depth, *whole))
    return crop(b, full, [(0, 0), (0, 0), *((pads[i], pads[i + rank]) for i in range(rank))])


@lowers("MaxUnpool", since=22)
def max_unpool(b: CoreMlBuilder, n: Op) -> Value:
    """MaxUnpool -> scatter into the flattened image."""
    x, indices = n.operand(0), n.operand(1)
    shape = x.static_shape
    if shape is None:
        n.refuse("an input of a size known only at run time", code="EK305")
    kernel = n.attr("kernel_shape")
    strides, pads = n.attr("strides") or (1,) * len(kernel), n.attr("pads") or (0,) * (2 * len(kernel))
    if any(k > s for k, s in zip(kernel, strides, strict=True)):
        n.refuse("overlapping windows, whose maxima may fall on one place; scatter has no order of writing")
    image = [
        (d - 1) * s + k - pads[i] - pads[i + len(kernel)]
        for i, (d, s, k) in enumerate(zip(shape[2:], strides, kernel, strict=True))
    ]
    full = (*shape[:2], *image)
    if n.input(2) is not None and n.known(2, "output_shape").tolist() != list(full):
        n.refuse(f"an `output_shape` other than {list(full)}; what indices then mean is not settled")
    places = b.reshape(b.int32(indices), (math.prod(shape),))
    zeros = b.const(np.zeros(math.prod(full), x.dtype))
    updates = b.reshape(x, (math.prod(shape),))
    spread = b.op("scatter", data=zeros, indices=places, updates=updates, axis=0, mode="update")
    return b.reshape(spread, full)
