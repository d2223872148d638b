"""Convolution and transposed convolution of 1-D, 2-D and 3-D signals."""

from __future__ import annotations

import numpy as np

from edgekit.lowering.coreml.builder import CoreMlBuilder
from edgekit.lowering.coreml.movement import pad_or_crop
from edgekit.lowering.coreml.table import lowers
from edgekit.lowering.coreml.window import pads_of, windows
from edgekit.lowering.ledger import Value
from edgekit.lowering.op import Op


@lowers("Conv", since=22)
def conv(b: CoreMlBuilder, n: Op) -> Value:
    """Conv -> conv."""
    return convolve(b, n, n.operand(0), n.operand(1), n.input(2))


def convolve(b: CoreMlBuilder, n: Op, x: Value, weight: Value, bias: Value | None) -> Value:
    """Emits conv with the window of a node; a bias computed at run time is added behind."""
    kernel = weight.static_shape
    if kernel is None:
        n.refuse("the size of the kernel is known only at run time", code="EK305")
    _check_rank(n, x)
    slides = windows(n, kernel[2:], x.shape[2:])
    if weight.data is None and any(w.dilation > 1 for w in slides):
        n.refuse("a dilated kernel that is computed at run time")
    known = bias is not None and bias.data is not None
    made = b.op(
        "conv",
        x=x,
        weight=weight,
        bias=bias if known else None,
        strides=[w.stride for w in slides],
        pad_type="custom",
        pad=pads_of(slides),
        dilations=[w.dilation for w in slides],
        groups=int(n.attr("group", 1)),
    )
    return made if bias is None or known else _add_bias(b, made, bias)


def _check_rank(n: Op, x: Value) -> None:
    if not 3 <= x.rank <= 5:
        n.refuse(f"an input of rank {x.rank}; Core ML takes 3, 4 or 5")


def _add_bias(b: CoreMlBuilder, x: Value, bias: Value) -> Value:
    return b.binary("add", x, b.reshape(bias, (1, bias.shape[0], *(1 for _ in x.shape[2:]))))


@lowers("ConvTranspose", since=22)
def conv_transpose(b: CoreMlBuilder, n: Op) -> Value:
    """ConvTranspose -> conv_transpose; an end that lies beyond the last tap is padded with zeros."""
    x, weight, bias = n.operand(0), n.operand(1), n.input(2)
    n.known(1, "W")
    _check_rank(n, x)
    if n.attr("auto_pad", "NOTSET").startswith("SAME") and any(n.attr("output_padding") or ()):
        n.refuse("`auto_pad` with `output_padding`; ONNX does not say which size that gives")
    rank = x.rank - 2
    strides = [int(s) for s in (n.attr("strides") or (1,) * rank)]
    dilations = [int(d) for d in (n.attr("dilations") or (1,) * rank)]
    crops = _crops(n, x, [int(k) for k in (weight.static_shape or ())[2:]], strides, dilations)
    inside = all(end >= 0 and begin >= 0 for begin, end in crops)
    known = bias is not None and bias.data is not None and inside
    made = b.op(
        "conv_transpose",
        x=x,
        weight=weight,
        bias=bias if known else None,
        strides=strides,
        pad_type="custom",
        pad=[max(p, 0) for crop in crops for p in crop],
        dilations=dilations,
        groups=int(n.attr("group", 1)),
    )
    if not inside:
        beyond = [(-min(begin, 0), -min(end, 0)) for begin, end in crops]
        made = pad_or_crop(b, made, [(0, 0), (0, 0), *beyond])
    return made if bias is None or known else _add_bias(b, made, bias)


def _crops(
    n: Op, x: Value, kernel: list[int], strides: list[int], dilations: list[int]
) -> list[tuple[int, int]]:
    """Returns what is cut off before and after on each axis; negative where zeros are appended."""
    rank = len(kernel)
    extra = [int(p) for p in (n.attr("output_padding") or (0,) * rank)]
    pads = [int(p) for p in (n.attr("pads") or (0,) * (2 * rank))]
    auto, wanted = n.attr("auto_pad", "NOTSET"), n.attr("output_shape") or None
    if min(pads) < 0:
        n.refuse(f"negative `pads` {pads}")
    if auto == "VALID":
        pads = [0] * (2 * rank)
    if wanted is None and auto not in ("SAME_UPPER", "SAME_LOWER"):
        return [(pads[i], pads[i + rank] - extra[i]) for i in range(rank)]
    crops = []
    for i, size in enumerate(x.shape[2:]):
        if size is None:
            n.refuse("`output_shape` of a size known only at run time", code="EK305")
        full = (size - 1) * strides[i] + (kernel[i] - 1) * dilations[i] + 1
        target = size * strides[i] if wanted is None else int(wanted[-rank:][i])
        total = full + extra[i] - target
        small, large = max(total, 0) // 2, max(total, 0) - max(total, 0) // 2
        begin, end = (small, large) if auto == "SAME_UPPER" else (large, small)
        crops.append((begin, end + min(total, 0) - extra[i]))
    return crops


@lowers("ConvInteger", since=10)
def conv_integer(b: CoreMlBuilder, n: Op) -> Value:
    """ConvInteger -> conv in fp32, where every partial sum is an integer that fp32 holds."""
    x = _centred(b, n.operand(0), n.input(2), None)
    weight = _centred(b, n.operand(1), n.input(3), 0)
    taps = int(np.prod((weight.static_shape or (0,))[1:]))
    check_exact_sum(n, b, n.operand(0), n.operand(1), taps)
    return b.cast(convolve(b, n, x, weight, None), np.int32)


def check_exact_sum(n: Op, b: CoreMlBuilder, x: Value, y: Value, terms: int) -> None:
    """Refuses a sum of products of 8-bit integers that fp32 may round."""
    bound = [max(abs(i.low), abs(i.high)) for i in (b.interval(x), b.interval(y))]
    widest = (bound[0] + 128) * (bound[1] + 128) if x.dtype.kind == "i" else 255 * 255
    if widest * terms >= 2**24:
        n.approximate(f"a sum of {terms} products of {x.dtype.name} may be rounded in fp32", final=True)


def _centred(b: CoreMlBuilder, x: Value, zero: Value | None, axis: int | None) -> Value:
    number = b.cast(x, np.float32)
    if zero is None:
        return number
    offset = b.cast(zero, np.float32)
    if offset.rank == 1 and offset.shape != (1,) and axis is not None:
        offset = b.reshape(offset, [-1 if i == axis else 1 for i in range(x.rank)])
    elif offset.rank == 1:
        offset = b.reshape(offset, ())
    return b.binary("sub", number, offset)
