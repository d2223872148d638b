"""Convolutions and pooling."""

from __future__ import annotations

from typing import Any

import numpy as np

from edgekit.compat.oneop.draw import Draw
from edgekit.compat.oneop.model import Meaningless, constant, feature_map, quant_for
from edgekit.compat.oneop.table import family
from edgekit.ir import Quant
from edgekit.lowering.ledger import Emitted, Value
from edgekit.lowering.tflite.dialect import conv_size

Attrs = dict[str, Any]


def _strides(draw: Draw, base: int = 1) -> Attrs:
    return {
        "stride_h": draw.size("stride_h", base, 6, near=(3, 4)),
        "stride_w": draw.size("stride_w", base, 6, near=(3, 4)),
    }


def _activation(draw: Draw) -> Attrs:
    kind = draw.one_of("activation", "NONE", "RELU", "RELU6", "RELU_N1_TO_1", "TANH", "SIGN_BIT")
    return {"fused_activation_function": kind}


def _dtype(draw: Draw) -> str:
    return draw.one_of("dtype", "int8", "int8", "int16", "uint8", "float32", "int32")


def weights(draw: Draw, shape: tuple[int, ...], axis: int, *, dtype: str) -> Value:
    """Returns constant weights, with one scale per output channel or (knob) one in all."""
    kind = "int8" if dtype in ("int8", "int16") else dtype
    chosen = draw.one_of("weights_dtype", kind, "int16", "uint8")
    if np.prod(shape, dtype=object) > 1 << 24:
        raise Meaningless(f"weights of the shape {list(shape)}")
    data = _elements(draw, shape, chosen)
    if draw.one_of("weights_quant", "per-channel", "per-tensor", "none") == "none" or chosen == "float32":
        return constant(data, chosen)
    channels = shape[axis] if draw.asked["weights_quant"].base == _value(draw, "weights_quant") else 1
    quant = Quant((0.01,) * channels, (0,) * channels, axis if channels > 1 else None)
    return constant(data, chosen, quant)


def _value(draw: Draw, name: str) -> Any:
    return draw.turned.get(name, draw.asked[name].base)


def _elements(draw: Draw, shape: tuple[int, ...], dtype: str) -> Any:
    if dtype.startswith("float"):
        return draw.random.standard_normal(shape)
    if draw.one_of("weights_values", "random", "largest") == "largest":
        return np.full(shape, np.iinfo(dtype).max)
    return draw.random.integers(0 if dtype[0] == "u" else -100, 101, shape)


def bias(draw: Draw, channels: int, *, dtype: str) -> Value | None:
    """Returns a bias (knob `bias`), as wide as the kernel for the dtype wants it."""
    wide = {"int16": "int64", "float32": "float32"}.get(dtype, "int32")
    kind = draw.one_of("bias", "constant", "none", "run time", "int32", "int64", "huge", "4-D")
    if kind == "none":
        return None
    if kind == "run time":
        return Value(np.dtype(wide), (channels,), None, quant_for("int32", (channels,)))
    chosen = {"int32": "int32", "int64": "int64", "huge": "int64"}.get(kind, wide)
    data = np.full(channels, 1 << 41 if kind == "huge" else 7)
    quant = None if chosen == "float32" else Quant((0.0005,) * channels, (0,) * channels, 0)
    return constant(data.reshape(1, 1, 1, -1) if kind == "4-D" else data, chosen, quant)


def _input(draw: Draw, dtype: str, *, high: int = 32, channels: tuple[int, ...] = (4,)) -> Value:
    shape = (
        draw.one_of("batch", 1, 2, 5),
        draw.size("height", 12, high, near=(1, 8)),
        draw.size("width", 12, high, near=(1, 8)),
        draw.size("channels", channels[0], 80, near=channels[1:] or (16, 64)),
    )
    return feature_map(draw, shape, dtype=dtype, name="ifm")


def _kernel(draw: Draw, base: int = 3) -> tuple[int, int]:
    return (
        draw.size("kernel_h", base, 12, near=(1, 8, 64)),
        draw.size("kernel_w", base, 12, near=(1, 8, 64)),
    )


def _result(draw: Draw, ifm: Value, kernel: tuple[int, int], channels: int, attrs: Attrs) -> Value:
    sizes = [
        conv_size(size, k, attrs[f"stride_{a}"], attrs.get(f"dilation_{a}_factor", 1), attrs["padding"])
        for a, size, k in zip("hw", ifm.shape[1:3], kernel, strict=True)
    ]
    if any(s is None or s < 1 for s in sizes):
        raise Meaningless("the window is larger than the tensor")
    shape = (ifm.shape[0] or 1, *(s or 1 for s in sizes), channels)
    return feature_map(draw, shape, dtype=ifm.dtype.name, name="ofm")


@family("CONV_2D", "DEPTHWISE_CONV_2D")
def convolution(draw: Draw, name: str) -> Emitted:
    """A convolution, grouped or dilated."""
    dtype = _dtype(draw)
    ifm = _input(draw, dtype)
    kernel = _kernel(draw)
    channels = int(ifm.shape[3] or 1)
    attrs: Attrs = {
        "padding": draw.often("padding", "SAME", "VALID"),
        **_strides(draw),
        "dilation_h_factor": draw.size("dilation_h", 1, 5, near=(2,)),
        "dilation_w_factor": draw.size("dilation_w", 1, 5, near=(2,)),
        **_activation(draw),
    }
    if name == "DEPTHWISE_CONV_2D":
        multiplier = draw.size("multiplier", 1, 4)
        made, shape, axis = channels * multiplier, (1, *kernel, channels * multiplier), 3
        attrs["depth_multiplier"] = multiplier
    else:
        groups = draw.one_of("groups", 1, 2, 4, channels)
        made = draw.size("filters", 8, 40, near=(16,))
        if channels % groups or made % groups:
            raise Meaningless("the channels cannot be grouped")
        shape, axis = (made, *kernel, channels // groups), 0
    ofm = _result(draw, ifm, kernel, made, attrs)
    operands = (ifm, weights(draw, shape, axis, dtype=dtype), bias(draw, made, dtype=dtype))
    return Emitted(name, operands, (ofm,), attrs)


@family("TRANSPOSE_CONV")
def transposed(draw: Draw, name: str) -> Emitted:
    """A transposed convolution; the size of the result is given, and may be an unusual one."""
    dtype = _dtype(draw)
    ifm = _input(draw, dtype, high=12)
    kernel = _kernel(draw, 3)
    mode = draw.often("padding", "SAME", "VALID")
    attrs: Attrs = {"padding": mode, **_strides(draw, 2), **_activation(draw)}
    extra = draw.one_of("extra", 0, 1, -1)
    strides = attrs["stride_h"], attrs["stride_w"]
    rims = [max(k - s, 0) if mode == "VALID" else 0 for k, s in zip(kernel, strides, strict=True)]
    sizes = [int(d or 1) * s + r for d, s, r in zip(ifm.shape[1:3], strides, rims, strict=True)]
    made = draw.size("filters", 8, 24)
    shape = (ifm.shape[0] or 1, sizes[0] + extra, sizes[1], made)
    ofm = feature_map(draw, shape, dtype=dtype, name="ofm")
    filters = weights(draw, (made, *kernel, int(ifm.shape[3] or 1)), 0, dtype=dtype)
    return Emitted(name, (constant(shape), filters, ifm, bias(draw, made, dtype=dtype)), (ofm,), attrs)


@family("AVERAGE_POOL_2D", "MAX_POOL_2D")
def pooling(draw: Draw, name: str) -> Emitted:
    """A pooling; windows reach the limits of accelerators."""
    dtype = _dtype(draw)
    ifm = _input(draw, dtype, high=300)
    near = (8, 256)
    kernel = draw.size("kernel_h", 2, 20, near=near), draw.size("kernel_w", 2, 20, near=(*near, 257))
    attrs: Attrs = {
        "padding": draw.often("padding", "SAME", "VALID"),
        **_strides(draw, 2),
        "filter_height": kernel[0],
        "filter_width": kernel[1],
        **_activation(draw),
    }
    return Emitted(name, (ifm,), (_result(draw, ifm, kernel, int(ifm.shape[3] or 1), attrs),), attrs)
