"""Convolution of 1-D, 2-D and 3-D signals."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgekit.lowering.ledger import Value
from edgekit.lowering.op import Op
from edgekit.lowering.tflite.builder import TFLiteBuilder
from edgekit.lowering.tflite.kernels import carrier
from edgekit.lowering.tflite.spatial import (
    channels_first,
    channels_last,
    drop_axis,
    insert_axis,
    padded,
    split,
)
from edgekit.lowering.tflite.table import lowers
from edgekit.lowering.tflite.window import Window, windows


@lowers("Conv", since=22)
def conv(b: TFLiteBuilder, n: Op) -> Value:
    """Conv -> CONV_2D, DEPTHWISE_CONV_2D or CONV_3D; an explicit PAD where SAME does not fit."""
    x, w, bias = n.operand(0), n.operand(1), n.input(2)
    real = carrier(x.dtype, ("float32",))
    y = convolve(b, n, b.cast(x, real), b.cast(w, real), None if bias is None else b.cast(bias, real))
    return b.cast(y, x.dtype)


def convolve(b: TFLiteBuilder, n: Op, x: Value, w: Value, bias: Value | None) -> Value:
    """Convolves float32 operands as the attributes of a Conv-like node say.

    Args:
        b: The builder.
        n: The node with strides, pads, dilations, auto_pad and group.
        x: (N, C, ...).
        w: (M, C / group, ...).
        bias: (M,), or `None`.

    Returns:
        (N, M, ...).

    Raises:
        Unlowerable: For more than three spatial axes, or weights of unknown shape.
    """
    shape = w.static_shape
    if shape is None:
        n.refuse("the shape of the weights is known only at run time", code="EK305")
    if x.rank not in (3, 4, 5):
        n.refuse(f"a convolution over {x.rank - 2} axes; 1 to 3 can be expressed")
    channels = x.shape[1] or shape[1] * n.attr("group", 1)
    slides = windows(n, shape[2:], x.shape[2:])
    bias = b.const(np.zeros(shape[0], np.float32)) if bias is None else bias
    if x.rank == 3:
        lifted = convolve2d(
            b, insert_axis(b, x, 2), insert_axis(b, w, 2), bias, (Window(1, size=1), *slides), channels
        )
        return drop_axis(b, lifted, 2)
    run = convolve2d if x.rank == 4 else convolve3d
    return run(b, x, w, bias, slides, channels)


def convolve2d(
    b: TFLiteBuilder, x: Value, w: Value, bias: Value, slides: Sequence[Window], channels: int
) -> Value:
    """Convolves (N, C, H, W) with (M, C / group, kh, kw)."""
    image, scheme = padded(b, channels_last(b, x), slides)
    tall, wide = slides
    attrs = {
        "padding": scheme,
        "stride_h": tall.stride,
        "stride_w": wide.stride,
        "dilation_h_factor": tall.dilation,
        "dilation_w_factor": wide.dilation,
        "fused_activation_function": "NONE",
    }
    if w.shape[1] == 1 and channels > 1:
        attrs["depth_multiplier"] = (w.shape[0] or 0) // channels
        y = b.op("DEPTHWISE_CONV_2D", [image, b.transpose(w, (1, 2, 3, 0)), bias], attrs)
    else:
        y = b.op("CONV_2D", [image, b.transpose(w, (0, 2, 3, 1)), bias], attrs)
    return channels_first(b, y)


def convolve3d(
    b: TFLiteBuilder, x: Value, w: Value, bias: Value, slides: Sequence[Window], channels: int
) -> Value:
    """Convolves (N, C, D, H, W) with (M, C / group, kd, kh, kw)."""
    image, scheme = padded(b, channels_last(b, x), slides)
    attrs: dict[str, object] = {"padding": scheme, "fused_activation_function": "NONE"}
    for axis, slide in zip("dhw", slides, strict=True):
        attrs |= {f"stride_{axis}": slide.stride, f"dilation_{axis}_factor": slide.dilation}
    groups = channels // (w.shape[1] or 1)
    kernel = b.transpose(w, (2, 3, 4, 1, 0))
    parts = zip(
        split(b, image, groups, -1), split(b, kernel, groups, -1), split(b, bias, groups, 0), strict=True
    )
    return channels_first(b, b.concat([b.op("CONV_3D", part, attrs) for part in parts], 4))
