"""Transposed convolution of 1-D, 2-D and 3-D signals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edgekit.lowering.ledger import Value
from edgekit.lowering.op import Op
from edgekit.lowering.tflite.builder import TFLiteBuilder
from edgekit.lowering.tflite.kernels import carrier
from edgekit.lowering.tflite.ops.convolution import convolve2d, convolve3d
from edgekit.lowering.tflite.sizes import Size, combine, pack, size_of
from edgekit.lowering.tflite.spatial import (
    channels_first,
    channels_last,
    crop_or_pad,
    drop_axis,
    insert_axis,
)
from edgekit.lowering.tflite.table import lowers
from edgekit.lowering.tflite.window import Window


@dataclass(frozen=True, slots=True)
class Spread:
    """How a transposed convolution writes along one axis.

    Attributes:
        kernel: Taps.
        stride: Elements between the outputs of neighbouring inputs.
        dilation: Elements between two taps.
        before: Outputs dropped in front.
        after: Outputs dropped behind; negative adds outputs that no input reaches.
        size: Inputs along the axis; `None` where known only at run time.
    """

    kernel: int
    stride: int
    dilation: int
    before: int
    after: int
    size: int | None

    @property
    def extent(self) -> int:
        """Elements from the first to the last tap, both included."""
        return (self.kernel - 1) * self.dilation + 1

    @property
    def surplus(self) -> int:
        """Outputs beyond `size * stride`."""
        return self.extent - self.stride - self.before - self.after

    @property
    def out(self) -> int | None:
        """Outputs along the axis."""
        return None if self.size is None else self.size * self.stride + self.surplus

    @property
    def is_same(self) -> bool:
        """Tells whether TRANSPOSE_CONV's SAME drops the same outputs."""
        total = max(0, self.extent - self.stride - self.surplus)
        return -self.stride < self.surplus <= 0 and self.before == total // 2


@lowers("ConvTranspose", since=22)
def conv_transpose(b: TFLiteBuilder, n: Op) -> Value:
    """ConvTranspose -> TRANSPOSE_CONV and a crop; grouped and 3-D -> CONV over the input spread by zeros."""
    x, w, bias = n.operand(0), n.operand(1), n.input(2)
    shape = w.static_shape
    if shape is None:
        n.refuse("the shape of the weights is known only at run time", code="EK305")
    if x.rank not in (3, 4, 5):
        n.refuse(f"a transposed convolution over {x.rank - 2} axes; 1 to 3 can be expressed")
    spreads = _spreads(n, shape[2:], x)
    real = carrier(x.dtype, ("float32",))
    groups = n.attr("group", 1)
    offset = np.zeros(shape[1] * groups, np.float32) if bias is None else bias
    offset = b.cast(offset if isinstance(offset, Value) else b.const(offset), real)
    signal, kernel = b.cast(x, real), b.cast(w, real)
    if x.rank == 3:
        unit = Spread(1, 1, 1, 0, 0, 1)
        signal, kernel = insert_axis(b, signal, 2), insert_axis(b, kernel, 2)
        y = drop_axis(b, _transposed(b, signal, kernel, offset, (unit, *spreads), groups), 2)
    else:
        y = _transposed(b, signal, kernel, offset, spreads, groups)
    return b.cast(y, x.dtype)


def _spreads(n: Op, kernel: Sequence[int], x: Value) -> tuple[Spread, ...]:
    """Reads the attributes.

    Source: ONNX operator schema of ConvTranspose (the formulas of `pads` from `output_shape`).
    """
    rank = len(kernel)
    strides, dilations = n.attr("strides") or (1,) * rank, n.attr("dilations") or (1,) * rank
    extra = n.attr("output_padding") or (0,) * rank
    pads = n.attr("pads") or (0,) * (2 * rank)
    auto, wanted = n.attr("auto_pad") or "NOTSET", n.attr("output_shape")
    if auto == "VALID":
        pads = (0,) * (2 * rank)
    if auto.startswith("SAME") and any(extra):
        n.refuse("`auto_pad` with `output_padding`; ONNX does not say which size that gives")
    if min(pads) < 0:
        n.refuse(f"negative `pads` {list(pads)}")
    spreads = []
    for i, size in enumerate(x.shape[2:]):
        extent = (kernel[i] - 1) * dilations[i] + 1
        before, after = pads[i], pads[i + rank]
        if wanted or auto.startswith("SAME"):
            total = max(0, extent - strides[i])
            if wanted:
                if size is None:
                    n.refuse("`output_shape` for an input of a size known only at run time", code="EK305")
                if wanted[-rank:][i] < size:
                    n.refuse(f"an `output_shape` {list(wanted)} smaller than the input")
                total = (size - 1) * strides[i] + extent + extra[i] - wanted[-rank:][i]
            small, large = max(0, total) // 2, max(0, total) - max(0, total) // 2
            before, after = (small, large) if auto == "SAME_UPPER" else (large, small)
            after += min(0, total)
        spreads.append(Spread(kernel[i], strides[i], dilations[i], before, after - extra[i], size))
    return tuple(spreads)


def _transposed(
    b: TFLiteBuilder, x: Value, w: Value, bias: Value, spreads: Sequence[Spread], groups: int
) -> Value:
    dilated = any(s.dilation > 1 for s in spreads)
    unreached = any(s.after <= -s.stride for s in spreads)
    if x.rank == 4 and groups == 1 and not unreached and (w.data is not None or not dilated):
        return _direct(b, x, w, bias, spreads)
    return _by_convolution(b, x, w, bias, spreads, groups)


def _direct(b: TFLiteBuilder, x: Value, w: Value, bias: Value, spreads: Sequence[Spread]) -> Value:
    """TRANSPOSE_CONV as SAME, or all of its outputs and a crop."""
    same = all(s.is_same for s in spreads)
    drop = [(0, 0) if same else (s.before, max(0, s.after)) for s in spreads]
    tall, wide = spreads
    image = channels_last(b, x)
    sizes: list[Size] = [size_of(b, image, 0)]
    for axis, (s, cut) in enumerate(zip(spreads, drop, strict=True), 1):
        scaled = combine(b, "MUL", size_of(b, image, axis), s.stride)
        sizes.append(combine(b, "ADD", scaled, s.surplus + sum(cut)))
    channels = w.shape[1] or 0
    shape = tuple(d if isinstance(d, int) else None for d in (*sizes, channels))
    kernel = b.transpose(_dilated(b, w, spreads), (1, 2, 3, 0))
    attrs = {
        "padding": "SAME" if same else "VALID",
        "stride_h": tall.stride,
        "stride_w": wide.stride,
        "fused_activation_function": "NONE",
    }
    operands = [pack(b, [*sizes, channels]), kernel, image, bias]
    full = b.op("TRANSPOSE_CONV", operands, attrs, dtype=x.dtype, shape=shape)
    return channels_first(
        b, crop_or_pad(b, full, [(0, 0), *((-first, -last) for first, last in drop), (0, 0)])
    )


def _dilated(b: TFLiteBuilder, w: Value, spreads: Sequence[Spread]) -> Value:
    """Puts zeros between the taps of a constant kernel; TRANSPOSE_CONV knows no dilation."""
    if all(s.dilation == 1 for s in spreads):
        return w
    assert w.data is not None
    kernel = np.zeros((*w.data.shape[:2], *(s.extent for s in spreads)), w.dtype)
    steps: tuple[slice, ...] = tuple(slice(None, None, s.dilation) for s in spreads)
    kernel[(slice(None), slice(None), *steps)] = w.data
    return b.const(kernel)


def _by_convolution(
    b: TFLiteBuilder, x: Value, w: Value, bias: Value, spreads: Sequence[Spread], groups: int
) -> Value:
    """Convolves the input, spread by zeros, with the mirrored kernel."""
    spread = _spread(b, x, [s.stride for s in spreads])
    reach = [(s.extent - 1 - s.before, s.extent - 1 - s.after) for s in spreads]
    ready = crop_or_pad(b, spread, [(0, 0), (0, 0), *reach])
    slides = [
        Window(s.kernel, 1, s.dilation, size=size) for s, size in zip(spreads, ready.shape[2:], strict=True)
    ]
    convolve = convolve2d if x.rank == 4 else convolve3d
    return convolve(b, ready, _mirrored(b, w, groups), bias, slides, w.shape[0] or 0)


def _spread(b: TFLiteBuilder, x: Value, strides: Sequence[int]) -> Value:
    """Puts `stride - 1` zeros between neighbours along each spatial axis."""
    if all(stride == 1 for stride in strides):
        return x
    steps = (1, 1, *strides)
    shape = tuple(None if d is None else (d - 1) * step + 1 for d, step in zip(x.shape, steps, strict=True))
    return b.op("DILATE", [x, b.ints(steps), b.scalar(0, x)], dtype=x.dtype, shape=shape)


def _mirrored(b: TFLiteBuilder, w: Value, groups: int) -> Value:
    """Turns (C, M / group, ...) into the mirrored (M, C / group, ...)."""
    inputs, outputs, *taps = (d or 0 for d in w.shape)
    parts = b.reshape(w, (groups, inputs // groups, outputs, *taps))
    swapped = b.transpose(parts, (0, 2, 1, *range(3, parts.rank)))
    kernel = b.reshape(swapped, (groups * outputs, inputs // groups, *taps))
    axes = list(range(2, kernel.rank))
    if kernel.data is not None:
        return b.const(np.ascontiguousarray(np.flip(kernel.data, tuple(axes))))
    for axis in axes:
        kernel = b.op("REVERSE_V2", [kernel, b.ints([axis])])
    return kernel
