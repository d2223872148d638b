"""Convolution of signals with any number of axes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from edgekit.lowering.ledger import Value
from edgekit.lowering.op import Op
from edgekit.lowering.tvm import codes
from edgekit.lowering.tvm.builder import TVMBuilder, computed
from edgekit.lowering.tvm.table import lowers


def window_attrs(n: Op, kernel: Sequence[int], x: Value) -> dict[str, Any]:
    """Reads strides, dilations, pads and auto_pad.

    Returns:
        `strides`, `dilations`, and `pads` as (all before, all after).
    """
    rank = len(kernel)
    strides = list(n.attr("strides") or (1,) * rank)
    dilations = list(n.attr("dilations") or (1,) * rank)
    pads = list(n.attr("pads") or (0,) * (2 * rank))
    auto = n.attr("auto_pad") or "NOTSET"
    if auto == "VALID":
        pads = [0] * (2 * rank)
    if min(pads, default=0) < 0:
        n.refuse(f"negative `pads` {pads}")
    if auto.startswith("SAME"):
        for i, (taps, size) in enumerate(zip(kernel, x.shape[2:], strict=True)):
            before, after = _same(n, taps, strides[i], dilations[i], size, auto)
            pads[i], pads[i + rank] = before, after
    return {"strides": strides, "pads": pads, "dilations": dilations}


def _same(n: Op, taps: int, stride: int, dilation: int, size: int | None, auto: str) -> tuple[int, int]:
    total = (taps - 1) * dilation
    if size is not None:
        total = max(0, (-(-size // stride) - 1) * stride + total + 1 - size)
    elif stride > 1:
        n.refuse(f"`auto_pad` {auto} with a stride on a size known only at run time", code="EK305")
    small = total // 2
    return (small, total - small) if auto == "SAME_UPPER" else (total - small, small)


def _of_codes(
    b: TVMBuilder, n: Op, summed: Sequence[int], channel: int, sums: Callable[[Value, Value], Value]
) -> Value | None:
    """Computes a convolution on the integers behind its operands; `None` if there are none that fit."""
    left, right = (b.codes.get(n.operand(i)) for i in range(2))
    if left is None and right is None:
        return None
    try:
        x, w = codes.factors(left, right, channel, summed)
    except codes.Unfit as verdict:
        b.reasons[n.node] = str(verdict)
        return None
    b.integers.add(n.node)
    whole = sums(codes.centred(b, x), codes.centred(b, w))
    return codes.scaled(b, whole, x, w, n.input(2), 1)


def convolve(b: TVMBuilder, n: Op, x: Value, w: Value, *, wide: Any = None) -> Value:
    """Convolves as the attributes of a Conv-like node say.

    Args:
        b: The builder.
        n: The node.
        x: The signal.
        w: The weights.
        wide: The dtype to sum in, and of the result; by default that of the operands.
    """
    if w.static_shape is None:
        n.refuse("the shape of the weights is known only at run time", code="EK305")
    attrs = window_attrs(n, w.static_shape[2:], x) | {"groups": n.attr("group", 1)}
    name = "conv2d" if x.rank == 4 and x.dtype.kind == "f" else "conv"
    if wide is not None:
        attrs["wide"] = np.dtype(wide).name
    return b.op(name, [x, w], attrs, dtype=x.dtype if wide is None else wide, shape=n.out_shape())


def with_bias(b: TVMBuilder, y: Value, bias: Value | None) -> Value:
    """Adds one number per channel of (N, C, ...)."""
    if bias is None:
        return y
    return b.map("add", y, b.unsqueeze(bias, range(1, y.rank - 1)))


@lowers("Conv", since=11)
def conv(b: TVMBuilder, n: Op) -> Value:
    """Convolution with bias."""
    whole = _of_codes(b, n, range(1, n.operand(1).rank), 0, lambda x, w: convolve(b, n, x, w, wide=np.int32))
    if whole is not None:
        return whole

    def run(x: Value, w: Value, *bias: Value) -> Value:
        return with_bias(b, convolve(b, n, x, w), bias[0] if bias else None)

    return computed(b, [v for v in n.inputs if v is not None], run)


@lowers("ConvInteger", since=10)
def conv_integer(b: TVMBuilder, n: Op) -> Value:
    """Convolution of 8-bit integers less their zero points, in int32."""
    return conv_integer_sums(b, n, (0, 2), (1, 3))


def conv_integer_sums(b: TVMBuilder, n: Op, x: tuple[int, int], w: tuple[int, int]) -> Value:
    """Convolves integers given as (input, zero point) by their positions, in int32."""
    signal, weights = (b.cast(n.operand(i), np.int32) for i in (x[0], w[0]))
    if n.input(x[1]) is not None:
        signal = b.map("subtract", signal, b.cast(n.operand(x[1]), np.int32))
    if n.input(w[1]) is not None:
        zero = b.cast(n.operand(w[1]), np.int32)
        if zero.rank == 1 and zero.shape[0] != 1:
            zero = b.unsqueeze(zero, range(1, weights.rank))
        weights = b.map("subtract", weights, zero)
    return convolve(b, n, signal, weights)


@lowers("ConvTranspose", since=11)
def conv_transpose(b: TVMBuilder, n: Op) -> Value:
    """Transposed convolution with bias."""

    def sums(x: Value, w: Value) -> Value:
        attrs = transposed_attrs(n, x, w) | {"wide": "int32"}
        return b.op("conv_transpose", [x, w], attrs, dtype=np.int32, shape=n.out_shape())

    if n.attr("group", 1) == 1:
        whole = _of_codes(b, n, [0, *range(2, n.operand(1).rank)], 1, sums)
        if whole is not None:
            return whole

    def run(x: Value, w: Value, *bias: Value) -> Value:
        y = b.op("conv_transpose", [x, w], transposed_attrs(n, x, w), dtype=x.dtype, shape=n.out_shape())
        return with_bias(b, y, bias[0] if bias else None)

    return computed(b, [v for v in n.inputs if v is not None], run)


def transposed_attrs(n: Op, x: Value, w: Value) -> dict[str, Any]:
    """Reads the attributes of ConvTranspose; `extra` elements are added at the end of each axis.

    Source: ONNX operator ConvTranspose, the relations of `output_shape`, `pads` and `auto_pad`.
    """
    if w.static_shape is None:
        n.refuse("the shape of the weights is known only at run time", code="EK305")
    kernel = w.static_shape[2:]
    rank = len(kernel)
    strides = list(n.attr("strides") or (1,) * rank)
    dilations = list(n.attr("dilations") or (1,) * rank)
    pads = list(n.attr("pads") or (0,) * (2 * rank))
    extra = list(n.attr("output_padding") or (0,) * rank)
    auto, wanted = n.attr("auto_pad") or "NOTSET", n.attr("output_shape")
    if auto == "VALID":
        pads = [0] * (2 * rank)
    if wanted is not None or auto.startswith("SAME"):
        for i, size in enumerate(x.shape[2:]):
            reach = (kernel[i] - 1) * dilations[i] + 1
            if wanted is None:
                total = reach - strides[i] + extra[i]
            elif size is None:
                n.refuse("`output_shape` on a size known only at run time", code="EK305")
            else:
                total = (size - 1) * strides[i] + extra[i] + reach - tuple(wanted)[-rank:][i]
            small = total // 2
            first, second = (small, total - small) if auto == "SAME_UPPER" else (total - small, small)
            pads[i], pads[i + rank] = first, second
    return {
        "strides": strides,
        "pads": pads,
        "dilations": dilations,
        "groups": n.attr("group", 1),
        "extra": extra,
    }
