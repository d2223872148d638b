"""Emitted ops for tests, written shortly."""

from __future__ import annotations

from typing import Any

import numpy as np

from edgekit.compat.facts import Facts, facts_of
from edgekit.ir import Origin, Quant
from edgekit.lowering.ledger import Emitted, Shape, Value

Q = Quant((0.5,), (0,))


def value(shape: Shape, dtype: Any = "int8", quant: Quant | None = Q) -> Value:
    return Value(np.dtype(dtype), shape, None, quant)


def const(data: Any, dtype: Any = "int32", quant: Quant | None = None) -> Value:
    array = np.asarray(data, dtype)
    return Value(array.dtype, array.shape, array, quant)


def zeros(shape: tuple[int, ...], dtype: Any = "int8", quant: Quant | None = Q) -> Value:
    return const(np.zeros(shape), dtype, quant)


def tflite(op: str, inputs: list[Value | None], outputs: list[Value], node: str = "n", **attrs: Any) -> Facts:
    return facts_of(Emitted(op, tuple(inputs), tuple(outputs), attrs, Origin((node,))), "tflite")


def onnx(op: str, inputs: list[Value | None], outputs: list[Value], **attrs: Any) -> Facts:
    return facts_of(Emitted(op, tuple(inputs), tuple(outputs), attrs, Origin(("n",))), "onnx")


def conv(
    kernel: tuple[int, int] = (3, 3),
    stride: tuple[int, int] = (1, 1),
    dilation: tuple[int, int] = (1, 1),
    padding: str = "SAME",
    shape: Shape = (1, 8, 8, 4),
    channels: int = 6,
    **attrs: Any,
) -> Facts:
    """A CONV_2D of int8."""
    per_group = shape[3] or 1
    weights, bias = zeros((channels, *kernel, per_group)), zeros((channels,), "int32")
    options = {
        **dict(zip(("stride_h", "stride_w"), stride, strict=True)),
        **dict(zip(("dilation_h_factor", "dilation_w_factor"), dilation, strict=True)),
        "padding": padding,
        "fused_activation_function": "NONE",
        **attrs,
    }
    return tflite("CONV_2D", [value(shape), weights, bias], [value((*shape[:3], channels))], **options)
