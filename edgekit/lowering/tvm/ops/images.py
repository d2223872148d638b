"""Ops that read images at computed positions, or write into them."""

from __future__ import annotations

import math

import numpy as np

from edgekit.lowering.ledger import Value
from edgekit.lowering.op import Op
from edgekit.lowering.tvm.builder import TVMBuilder, computed
from edgekit.lowering.tvm.ops.convolution import window_attrs, with_bias
from edgekit.lowering.tvm.table import lowers


@lowers("GridSample", since=20)
def grid_sample(b: TVMBuilder, n: Op) -> Value:
    """Interpolates at the positions of a grid."""
    attrs = {
        "mode": n.attr("mode") or "linear",
        "padding": n.attr("padding_mode") or "zeros",
        "corners": bool(n.attr("align_corners", 0)),
    }
    x, grid = n.operand(0), n.operand(1)
    if attrs["mode"] not in ("nearest", "linear", "cubic"):
        n.refuse(f"the mode `{attrs['mode']}`")
    return computed(
        b, [x], lambda v: b.op("grid_sample", [v, b.cast(grid, v.dtype)], attrs, dtype=v.dtype,
                               shape=n.out_shape())
    )  # fmt: skip


@lowers("RoiAlign", since=16)
def roi_align(b: TVMBuilder, n: Op) -> Value:
    """Pools samples of regions."""
    attrs = {
        "height": n.attr("output_height", 1),
        "width": n.attr("output_width", 1),
        "ratio": n.attr("sampling_ratio", 0),
        "scale": float(n.attr("spatial_scale", 1.0)),
        "half_pixel": n.attr("coordinate_transformation_mode", "half_pixel") == "half_pixel",
        "largest": n.attr("mode") == "max",
    }
    x, rois, images = (n.operand(i) for i in range(3))

    def pooled(v: Value) -> Value:
        operands = [v, b.cast(rois, v.dtype), b.cast(images, np.int64)]
        return b.op("roi_align", operands, attrs, dtype=v.dtype, shape=n.out_shape())

    return computed(b, [x], pooled)


@lowers("MaxRoiPool", since=1)
def max_roi_pool(b: TVMBuilder, n: Op) -> Value:
    """The largest pixel of each bin of regions."""
    height, width = n.attr("pooled_shape")
    attrs = {"height": height, "width": width, "scale": float(n.attr("spatial_scale", 1.0))}
    return computed(
        b, [n.operand(0), n.operand(1)],
        lambda x, r: b.op("max_roi_pool", [x, r], attrs, dtype=x.dtype, shape=n.out_shape()),
    )  # fmt: skip


@lowers("DeformConv", since=19)
def deform_conv(b: TVMBuilder, n: Op) -> Value:
    """Samples every tap at its moved position, then multiplies by the weights."""
    kernel = n.operand(1).static_shape
    if kernel is None or n.operand(0).shape[1] is None:
        n.refuse("weights or channels of sizes known only at run time", code="EK305")
    attrs = window_attrs(n, kernel[2:], n.operand(0))
    attrs |= {"kernel_shape": list(kernel[2:]), "groups": n.attr("offset_group", 1)}
    taps, groups, outputs = math.prod(kernel[2:]), n.attr("group", 1), n.out_shape()
    given = [v for v in n.inputs if v is not None]

    def run(*values: Value) -> Value:
        operands = iter(values)
        x, w, offset, bias, mask = (next(operands) if n.input(i) is not None else None for i in range(5))
        assert x is not None
        assert w is not None
        shape = (x.shape[0], x.shape[1], taps, *outputs[2:])
        sampled = b.op("deform_sample", [x, offset, mask], attrs, dtype=x.dtype, shape=shape)
        places = "xyz"[: len(outputs) - 2]
        grouped = b.reshape(w, (groups, kernel[0] // groups, kernel[1], taps))
        split = _grouped(b, sampled, groups, kernel[1])
        term = {"terms": [f"ngct{places}", "goct"], "result": f"ngo{places}"}
        part = (x.shape[0], groups, kernel[0] // groups, *outputs[2:])
        y = b.op("einsum", [split, grouped], term, dtype=x.dtype, shape=part)
        joined = b.op("merge_axes", [y], {"axis": 1}, dtype=x.dtype, shape=outputs)
        return with_bias(b, joined, bias)

    return computed(b, given, run)


def _grouped(b: TVMBuilder, x: Value, groups: int, channels: int) -> Value:
    shape = (x.shape[0], groups, channels, *x.shape[2:])
    return b.op("split_axis", [x], {"axis": 1, "inner": channels}, dtype=x.dtype, shape=shape)


@lowers("Col2Im", since=18)
def col2im(b: TVMBuilder, n: Op) -> Value:
    """Sums the columns that fall on each pixel."""
    image, block = n.known(1, "image_shape").tolist(), n.known(2, "block_shape").tolist()
    rank = len(image)
    attrs = {
        "image": image,
        "block": block,
        "strides": list(n.attr("strides") or (1,) * rank),
        "pads": list(n.attr("pads") or (0,) * (2 * rank)),
        "dilations": list(n.attr("dilations") or (1,) * rank),
    }
    return computed(
        b, [n.operand(0)], lambda v: b.op("col2im", [v], attrs, dtype=v.dtype, shape=n.out_shape())
    )


@lowers("MaxUnpool", since=11)
def max_unpool(b: TVMBuilder, n: Op) -> Value:
    """Writes elements to the places where a pooling found them."""
    x, indices = n.operand(0), n.operand(1)
    shape = x.static_shape
    if shape is None:
        n.refuse("an input of a size known only at run time", code="EK305")
    kernel = n.attr("kernel_shape")
    rank = len(kernel)
    strides, pads = n.attr("strides") or (1,) * rank, n.attr("pads") or (0,) * (2 * rank)
    image = [
        (d - 1) * s + k - pads[i] - pads[i + rank]
        for i, (d, s, k) in enumerate(zip(shape[2:], strides, kernel, strict=True))
    ]
    full = (*shape[:2], *image)
    if n.input(2) is not None and n.known(2, "output_shape").tolist() != list(full):
        n.refuse(f"an `output_shape` other than {list(full)}; what indices then mean is not settled")
    return b.op("unpool", [x, indices], {"shape": full}, dtype=x.dtype, shape=full)


@lowers("Det", since=11)
def det(b: TVMBuilder, n: Op) -> Value:
    """The determinant, by elimination."""
    x = n.operand(0)
    return computed(b, [x], lambda v: b.op("determinant", [v], dtype=v.dtype, shape=v.shape[:-2]))


@lowers("NonMaxSuppression", since=10)
def non_max_suppression(b: TVMBuilder, n: Op) -> Value:
    """Boxes that overlap no better one."""
    boxes, scores = b.cast(n.operand(0), np.float32), b.cast(n.operand(1), np.float32)
    limit = n.const(2)
    if n.input(2) is None or (limit is not None and limit.max() <= 0):
        return b.const(np.zeros((0, 3), np.int64))
    overlap = b.const([0], np.float32) if n.input(3) is None else b.reshape(n.operand(3), (1,))
    least = None if n.input(4) is None else b.reshape(n.operand(4), (1,))
    operands = [boxes, scores, b.reshape(n.operand(2), (1,)), overlap, least]
    sizes = scores.static_shape
    room = None if sizes is None else math.prod(sizes)
    results = [(np.int64, (room, 3)), (np.int64, (1,))]
    attrs = {"centred": bool(n.attr("center_point_box", 0))}
    triples, count = b.multi("non_max_suppression", operands, results, attrs)
    bounds = [b.ints([0]), count, b.ints([1])]
    return b.op("slice", [triples, *bounds], {"axes": [0]}, dtype=np.int64, shape=(None, 3))


@lowers("ImageDecoder", since=20)
def image(b: TVMBuilder, n: Op) -> Value:
    """ImageDecoder: refused."""
    n.refuse("there is no image decoder", help="decode outside of the model and make the pixels its input")
