"""Pad in every mode; negative amounts drop elements."""

from __future__ import annotations

import math

import numpy as np

from edgekit.lowering.ledger import Value
from edgekit.lowering.op import Op
from edgekit.lowering.tflite.builder import TFLiteBuilder
from edgekit.lowering.tflite.formula import Term
from edgekit.lowering.tflite.movement import moved
from edgekit.lowering.tflite.spatial import crop_or_pad
from edgekit.lowering.tflite.table import lowers

MAX_RANK = 5
"""Limit of PADV2 and STRIDED_SLICE."""
KERNELS = ("float32", "float16", "int8", "uint8", "int16", "int32", "int64", "bool")
"""Dtypes that PADV2, MIRROR_PAD, GATHER and STRIDED_SLICE all move."""
Pads = list[tuple[int, int]]


@lowers("Pad", since=25)
def pad(b: TFLiteBuilder, n: Op) -> Value:
    """Pad -> PAD, PADV2, MIRROR_PAD; the modes edge and wrap -> GATHER with a constant table."""
    x, mode = n.operand(0), n.attr("mode") or "constant"
    pads = _pads(n, x.rank)
    if mode != "constant":
        return moved(b, [x], KERNELS, lambda v: _repeated(b, n, v, pads, mode))
    fill = n.input(2)
    if fill is None or (fill.data is not None and not fill.data.any()):
        return moved(b, [x], KERNELS, lambda v: _filled(b, n, v, pads))
    return moved(b, [x, b.reshape(fill, ())], KERNELS, lambda v, f: _filled(b, n, v, pads, f))


def _pads(n: Op, rank: int) -> Pads:
    """Returns (before, after) for every axis."""
    amounts = n.known(1, "pads").reshape(2, -1).T.tolist()
    axes = range(rank) if n.input(3) is None else n.known(3, "axes").reshape(-1).tolist()
    pads: Pads = [(0, 0)] * rank
    for axis, (before, after) in zip(axes, amounts, strict=True):
        pads[axis % rank] = (before, after)
    return pads


def _filled(b: TFLiteBuilder, n: Op, x: Value, pads: Pads, fill: Value | None = None) -> Value:
    """Pads by a value; of too many axes one after the other, with all before and all behind it merged."""
    if x.rank <= MAX_RANK:
        return crop_or_pad(b, x, pads, fill)
    if x.static_shape is None:
        n.refuse(f"padding of rank {x.rank} with sizes known only at run time", code="EK305")
    shape = list(x.static_shape)
    for axis, amounts in enumerate(pads):
        if amounts != (0, 0):
            flat = b.reshape(x, (math.prod(shape[:axis]), shape[axis], math.prod(shape[axis + 1 :])))
            shape[axis] += sum(amounts)
            x = b.reshape(crop_or_pad(b, flat, [(0, 0), amounts, (0, 0)], fill), tuple(shape))
    return x


def _repeated(b: TFLiteBuilder, n: Op, x: Value, pads: Pads, mode: str) -> Value:
    """Pads by elements of `x` itself, after dropping what negative amounts drop."""
    x = crop_or_pad(b, x, [(min(0, left), min(0, right)) for left, right in pads])
    more = [(max(0, left), max(0, right)) for left, right in pads]
    if mode == "reflect":
        if any(d is not None and max(p) >= max(d, 1) for d, p in zip(x.shape, more, strict=True)):
            n.refuse(f"reflected `pads` {more} that are not smaller than the sizes {list(x.shape)}")
        return _mirrored(b, x, more)
    for axis, amounts in enumerate(more):
        if amounts != (0, 0):
            x = _extended(b, n, x, axis, amounts, mode)
    return x


def _mirrored(b: TFLiteBuilder, x: Value, pads: Pads) -> Value:
    if all(p == (0, 0) for p in pads):
        return x
    shape = tuple(None if d is None else d + sum(p) for d, p in zip(x.shape, pads, strict=True))
    operands = [x, b.const(np.asarray(pads, np.int32))]
    return b.op("MIRROR_PAD", operands, {"mode": "REFLECT"}, dtype=x.dtype, shape=shape)


def _extended(b: TFLiteBuilder, n: Op, x: Value, axis: int, pads: tuple[int, int], mode: str) -> Value:
    """Repeats the ends of an axis (edge), or goes round (wrap)."""
    size = x.shape[axis]
    if size is not None:
        if size == 0 or (mode == "wrap" and max(pads) > size):
            n.refuse(f"`{mode}` padding by {list(pads)} of an axis of {size} elements")
        places = np.arange(-pads[0], size + pads[1])
        table = np.clip(places, 0, size - 1) if mode == "edge" else places % size
        return Term(b, x).gather(table, axis).value
    if mode == "wrap":
        n.refuse("`wrap` padding of a size known only at run time", code="EK305")
    first, last = _end(b, x, axis, 0), _end(b, x, axis, -1)
    return b.concat([*[first] * pads[0], x, *[last] * pads[1]], axis)


def _end(b: TFLiteBuilder, x: Value, axis: int, at: int) -> Value:
    """Returns the first (0) or last (-1) element along an axis, which stays."""
    begin = [at if i == axis else 0 for i in range(x.rank)]
    end = [1 if i == axis and at == 0 else 0 for i in range(x.rank)]
    to_the_end = sum((i != axis or at == -1) << i for i in range(x.rank))
    shape = tuple(1 if i == axis else d for i, d in enumerate(x.shape))
    operands = [x, b.ints(begin), b.ints(end), b.ints([1] * x.rank)]
    return b.op(
        "STRIDED_SLICE", operands, {"begin_mask": 0, "end_mask": to_the_end}, dtype=x.dtype, shape=shape
    )
