"""Convolutions: NHWC images, weights with their channels elsewhere."""

from __future__ import annotations

import onnx_ir as ir

from edgekit.importers.tflite.call import Call
from edgekit.importers.tflite.table import Untranslatable, translates
from edgekit.importers.tflite.windows import positive, same, taps, window


@translates("CONV_2D")
def conv_2d(call: Call) -> ir.Value:
    """CONV_2D -> Conv; fewer channels in the weights than in the image are groups."""
    call.images(0, 1)
    kernel = taps(call, 1, 1)
    channels, own = call.shape(0)[3], call.shape(1)[3]
    if channels is None or own is None or own < 1 or channels % own:
        raise Untranslatable(f"weights for {own} channels do not fit an image with {channels}")
    weights = call.weights(1, (0, 3, 1, 2))
    return _convolved(call, weights, kernel, channels // own)


@translates("DEPTHWISE_CONV_2D")
def depthwise_conv_2d(call: Call) -> ir.Value:
    """DEPTHWISE_CONV_2D -> Conv with a group per channel."""
    call.images(0, 1)
    channels, results = call.shape(0)[3], call.shape(1)[3]
    if channels is None or results is None or channels < 1 or results % channels or call.shape(1)[0] != 1:
        raise Untranslatable(f"weights for {results} results do not fit an image with {channels} channels")
    return _convolved(call, call.weights(1, (3, 0, 1, 2)), taps(call, 1, 1), channels)


def _convolved(call: Call, weights: ir.Value, kernel: tuple[int, int], groups: int) -> ir.Value:
    bias = call.operand(2) if call.has(2) else None
    attrs = window(call, kernel)
    x = call.to_first(call.operand(0))
    y = call.op("Conv", x, weights, bias, kernel_shape=list(kernel), group=groups, **attrs)
    return call.to_last(call.activated(y))


@translates("TRANSPOSE_CONV")
def transpose_conv(call: Call) -> ir.Value:
    """TRANSPOSE_CONV -> ConvTranspose; the operands are size, weights, image and bias."""
    call.images(1, 2)
    kernel = taps(call, 1, 1)
    strides = positive(call.attr("stride_h", 1), call.attr("stride_w", 1))
    wanted = [int(n) for n in call.numbers(0, "output sizes")]
    sizes = call.shape(2)[1:3]
    if len(wanted) != 4 or None in sizes:
        raise Untranslatable("the size of its image is known only at run time")
    begins, ends, more = [], [], []
    for out, size, taps_, stride in zip(wanted[1:3], sizes, kernel, strides, strict=True):
        assert size is not None
        before, after, extra = _cut(out, size, taps_, stride, call.attr("padding") == "SAME")
        begins.append(before)
        ends.append(after)
        more.append(extra)
    bias = call.operand(3) if call.has(3) else None
    y = call.op(
        "ConvTranspose",
        call.to_first(call.operand(2)),
        call.weights(1, (3, 0, 1, 2)),
        bias,
        kernel_shape=list(kernel),
        strides=list(strides),
        pads=begins + ends,
        output_padding=more if any(more) else None,
    )
    return call.to_last(call.activated(y))


def _cut(out: int, size: int, kernel: int, stride: int, is_same: bool) -> tuple[int, int, int]:
    """Returns what is cut off in front and behind, and how much is added behind."""
    total = (size - 1) * stride + kernel - out
    pads = same(out, kernel, stride, 1) if is_same else (0, 0)
    before = 0 if pads is None else pads[0]
    if total < before:
        extra = before - total
        if extra >= stride:
            raise Untranslatable(f"an output of {out} elements lies beyond what {size} reach")
        return before, 0, extra
    return before, total - before, 0


@translates("CONV_3D")
def conv_3d(call: Call) -> ir.Value:
    """CONV_3D -> Conv with three spatial axes; the weights are DHWIO."""
    if call.rank(0) != 5 or call.rank(1) != 5:
        raise Untranslatable("its operands are not of rank 5")
    kernel = [s or 1 for s in call.shape(1)[:3]]
    strides = positive(*(call.attr(f"stride_{a}", 1) for a in "dhw"))
    dilations = positive(*(call.attr(f"dilation_{a}_factor", 1) for a in "dhw"))
    pads = [(0, 0)] * 3
    if call.attr("padding") == "SAME":
        found = [same(*w) for w in zip(call.shape(0)[1:4], kernel, strides, dilations, strict=True)]
        pads = [p for p in found if p is not None]
        if len(pads) < 3:
            raise Untranslatable("the size of its volume is known only at run time")
    y = call.op(
        "Conv",
        call.op("Transpose", call.operand(0), perm=[0, 4, 1, 2, 3]),
        call.weights(1, (4, 3, 0, 1, 2)),
        call.operand(2) if call.has(2) else None,
        kernel_shape=kernel,
        strides=list(strides),
        dilations=list(dilations),
        pads=[p[0] for p in pads] + [p[1] for p in pads],
    )
    return call.op("Transpose", call.activated(y), perm=[0, 2, 3, 4, 1])
