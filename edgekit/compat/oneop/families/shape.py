"""Ops that move elements or only rename axes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from edgekit.compat.oneop.draw import Draw
from edgekit.compat.oneop.families.elementwise import shape_of
from edgekit.compat.oneop.model import Meaningless, constant, feature_map, steering
from edgekit.compat.oneop.table import family
from edgekit.lowering.ledger import Emitted, Value

_ALL = ("int16", "uint8", "float32", "int32", "int64", "bool")


def _dtype(draw: Draw) -> str:
    return draw.one_of("dtype", "int8", *_ALL)


def _input(draw: Draw, dtype: str) -> Value:
    shape = shape_of(draw)
    if not shape:
        raise Meaningless("a scalar has nothing to move")
    return feature_map(draw, shape, dtype=dtype, name="ifm")


def _sizes(value: Value) -> tuple[int, ...]:
    return tuple(int(d or 1) for d in value.shape)


def _axis(draw: Draw, rank: int) -> int:
    axis = draw.often("axis", -1, 0, 1, 2, -2)
    return axis if -rank <= axis < rank else -1


@family("RESHAPE")
def reshape(draw: Draw, name: str) -> Emitted:
    """The same elements in another shape."""
    dtype = _dtype(draw)
    ifm = _input(draw, dtype)
    shape = _sizes(ifm)
    result = draw.often("to", (1, math.prod(shape)), (math.prod(shape),), shape[::-1], (*shape, 1))
    ofm = feature_map(draw, result, dtype=dtype, name="ofm")
    return Emitted(name, (ifm, steering(draw, result, "shape")), (ofm,), {"new_shape": list(result)})


@family("SQUEEZE", "EXPAND_DIMS")
def one_axis(draw: Draw, name: str) -> Emitted:
    """An axis of size 1 goes or comes."""
    dtype = _dtype(draw)
    ifm = _input(draw, dtype)
    shape = _sizes(ifm)
    if name == "EXPAND_DIMS":
        ofm = feature_map(draw, (1, *shape), dtype=dtype, name="ofm")
        return Emitted(name, (ifm, steering(draw, 0, "axis")), (ofm,), {})
    wide = feature_map(draw, (1, *shape), dtype=dtype, name="ifm")
    ofm = feature_map(draw, shape, dtype=dtype, name="ofm")
    return Emitted(name, (wide,), (ofm,), {"squeeze_dims": [0]})


@family("TRANSPOSE")
def transpose(draw: Draw, name: str) -> Emitted:
    """Axes in another order; sizes reach the limits of accelerators."""
    dtype = _dtype(draw)
    rank = draw.often("rank", 4, 3, 2, 4, 5, 6)
    sizes = (
        draw.one_of("outer", 1, 2),
        draw.one_of("outer2", 1, 3),
        draw.one_of("batch", 1, 2, 300),
        draw.size("height", 6, 400, near=(1, 256)),
        draw.size("width", 7, 400, near=(1, 256)),
        draw.size("channels", 8, 400, near=(1, 16384, 32768, 65536)),
    )
    shape = sizes[len(sizes) - rank :]
    ifm = feature_map(draw, shape, dtype=dtype, name="ifm")
    orders = [tuple(int(p) for p in draw.random.permutation(rank)) for _ in range(3)]
    base = (*range(rank - 2), rank - 1, rank - 2)
    perm = draw.often("perm", base, *orders, tuple(range(rank)))
    if sorted(perm) != list(range(rank)):
        raise Meaningless("the permutation is for another rank")
    ofm = feature_map(draw, [shape[p] for p in perm], dtype=dtype, name="ofm")
    return Emitted(name, (ifm, steering(draw, perm, "perm")), (ofm,), {})


@family("CONCATENATION")
def concatenation(draw: Draw, name: str) -> Emitted:
    """Tensors one behind the other."""
    dtype = _dtype(draw)
    ifm = _input(draw, dtype)
    shape = list(_sizes(ifm))
    axis = _axis(draw, len(shape))
    many = draw.often("count", 2, 3, 1, 5)
    others = tuple(feature_map(draw, shape, dtype=dtype, name=f"ifm{i}") for i in range(2, many + 1))
    shape[axis] *= many
    ofm = feature_map(draw, shape, dtype=dtype, name="ofm")
    attrs = {"axis": axis, "fused_activation_function": draw.one_of("activation", "NONE", "RELU", "RELU6")}
    return Emitted(name, (ifm, *others), (ofm,), attrs)


@family("PACK", "UNPACK")
def stacking(draw: Draw, name: str) -> Emitted:
    """Tensors along a new axis, or back."""
    dtype = _dtype(draw)
    ifm = _input(draw, dtype)
    shape = _sizes(ifm)
    many = draw.often("count", 2, 3, 1)
    axis = _axis(draw, len(shape) + 1)
    stacked = [*shape]
    stacked.insert(axis if axis >= 0 else len(shape) + 1 + axis, many)
    small = [ifm, *(feature_map(draw, shape, dtype=dtype, name=f"ifm{i}") for i in range(2, many + 1))]
    big = feature_map(draw, stacked, dtype=dtype, name="ofm")
    if name == "PACK":
        return Emitted(name, tuple(small), (big,), {"values_count": many, "axis": axis})
    return Emitted(name, (big,), tuple(small), {"num": many, "axis": axis})


@family("SPLIT", "SPLIT_V")
def split(draw: Draw, name: str) -> Emitted:
    """A tensor in parts, equal or not."""
    dtype = _dtype(draw)
    part = _input(draw, dtype)
    shape = list(_sizes(part))
    axis = _axis(draw, len(shape))
    many = draw.often("count", 2, 3, 4)
    whole = list(shape)
    sizes = [shape[axis] + (i if name == "SPLIT_V" else 0) for i in range(many)]
    whole[axis] = sum(sizes)
    ifm = feature_map(draw, whole, dtype=dtype, name="ifm")
    parts = []
    for size in sizes:
        shape[axis] = size
        parts.append(feature_map(draw, shape, dtype=dtype, name="ofm"))
    along = steering(draw, axis, "axis")
    if name == "SPLIT":
        return Emitted(name, (along, ifm), tuple(parts), {"num_splits": many})
    given = steering(draw, sizes, "sizes")
    return Emitted(name, (ifm, given, along), tuple(parts), {"num_splits": many})


@family("SLICE")
def slice_(draw: Draw, name: str) -> Emitted:
    """A box out of a tensor."""
    dtype = _dtype(draw)
    ifm = _input(draw, dtype)
    shape = _sizes(ifm)
    begin = [int(draw.random.integers(0, d)) if draw.seed is not None else 0 for d in shape]
    size = [d - b for d, b in zip(shape, begin, strict=True)]
    ofm = feature_map(draw, size, dtype=dtype, name="ofm")
    return Emitted(name, (ifm, steering(draw, begin, "begin"), steering(draw, size, "size")), (ofm,), {})


@family("STRIDED_SLICE")
def strided_slice(draw: Draw, name: str) -> Emitted:
    """A box out of a tensor, with steps and masks."""
    dtype = _dtype(draw)
    ifm = _input(draw, dtype)
    shape = _sizes(ifm)
    axis = _axis(draw, len(shape)) % len(shape)
    step = draw.often("step", 1, 1, 2, 3, -1)
    begin, end, strides = [0] * len(shape), list(shape), [1] * len(shape)
    strides[axis] = step
    result = [*shape]
    result[axis] = -(-shape[axis] // abs(step))
    attrs = dict.fromkeys(("begin_mask", "end_mask", "ellipsis_mask", "new_axis_mask", "shrink_axis_mask"), 0)
    if step < 0:
        begin[axis], attrs["end_mask"] = shape[axis] - 1, 1 << axis
    masks = draw.one_of("masks", "none", "begin", "end", "shrink", "ellipsis", "new-axis")
    if masks == "begin":
        attrs["begin_mask"] = 1
    elif masks == "end":
        attrs["end_mask"] |= 1
    elif masks == "shrink":
        attrs["shrink_axis_mask"], strides[0], result = 1, 1, [d for i, d in enumerate(shape) if i]
        if axis:
            result[axis - 1] = -(-shape[axis] // abs(step))
    elif masks == "ellipsis":
        attrs["ellipsis_mask"] = 1
        if axis == 0:
            strides[0], result = 1, [*shape]
    elif masks == "new-axis":
        attrs["new_axis_mask"] = 1
        begin, end, strides = [0, *begin], [0, *end], [1, *strides]
        attrs["end_mask"] <<= 1
        result = [1, *result]
    ofm = feature_map(draw, result or [1], dtype=dtype, name="ofm")
    operands = (steering(draw, v, k) for v, k in ((begin, "begin"), (end, "end"), (strides, "strides")))
    return Emitted(name, (ifm, *operands), (ofm,), attrs)


@family("PAD", "PADV2", "MIRROR_PAD")
def padding(draw: Draw, name: str) -> Emitted:
    """More elements around a tensor."""
    dtype = _dtype(draw)
    ifm = _input(draw, dtype)
    shape = _sizes(ifm)
    amounts = np.zeros((len(shape), 2), int)
    where = draw.often("where", "space", "channels", "batch", "all")
    axes = {"channels": [-1], "batch": [0], "all": range(len(shape))}.get(where, range(1, len(shape) - 1))
    for axis in axes:
        size = shape[axis]
        amounts[axis] = [draw.often(f"{side}", 1, 0, 2, 5) for side in ("before", "after")]
        if name == "MIRROR_PAD":
            amounts[axis] = np.minimum(amounts[axis], size - 1)
    result = [d + int(p.sum()) for d, p in zip(shape, amounts, strict=True)]
    ofm = feature_map(draw, result, dtype=dtype, name="ofm")
    given = steering(draw, amounts, "paddings", draw.one_of("paddings_dtype", "int32", "int64"))
    if name == "MIRROR_PAD":
        return Emitted(name, (ifm, given), (ofm,), {"mode": draw.often("mode", "REFLECT", "SYMMETRIC")})
    value = (constant(3, dtype, ifm.quant),) if name == "PADV2" else ()
    return Emitted(name, (ifm, given, *value), (ofm,), {})


@family("TILE", "REVERSE_V2")
def repeating(draw: Draw, name: str) -> Emitted:
    """A tensor again and again, or backwards."""
    dtype = _dtype(draw)
    ifm = _input(draw, dtype)
    shape = _sizes(ifm)
    axis = _axis(draw, len(shape)) % len(shape)
    if name == "REVERSE_V2":
        ofm = feature_map(draw, shape, dtype=dtype, name="ofm")
        axes = draw.often("reversed", [axis], [])
        return Emitted(name, (ifm, steering(draw, np.asarray(axes, "int32"), "axis")), (ofm,), {})
    times = [1] * len(shape)
    times[axis] = draw.often("times", 2, 1, 3)
    ofm = feature_map(draw, [d * t for d, t in zip(shape, times, strict=True)], dtype=dtype, name="ofm")
    return Emitted(name, (ifm, steering(draw, times, "multiples")), (ofm,), {})


@family("GATHER")
def gather(draw: Draw, name: str) -> Emitted:
    """Slices by their indices."""
    dtype = _dtype(draw)
    ifm = _input(draw, dtype)
    shape = _sizes(ifm)
    axis = _axis(draw, len(shape)) % len(shape)
    batch = draw.one_of("batch_dims", 0, 1)
    if batch > axis:
        raise Meaningless("the batch axes reach beyond the axis")
    kind = draw.one_of("indices_dtype", "int32", "int64", "int16")
    picks = np.zeros((*shape[:batch], draw.size("picks", 3, 20)), kind)
    result = [*shape[:axis], *picks.shape[batch:], *shape[axis + 1 :]]
    ofm = feature_map(draw, result, dtype=dtype, name="ofm")
    known = draw.often("indices_from", "constant", "run time") == "constant"
    chosen = Value(picks.dtype, picks.shape, picks if known else None)
    return Emitted(name, (ifm, chosen), (ofm,), {"axis": axis, "batch_dims": batch})


@family("SPACE_TO_DEPTH", "DEPTH_TO_SPACE")
def blocks(draw: Draw, name: str) -> Emitted:
    """Blocks of space to channels, or back."""
    dtype = _dtype(draw)
    n, h, w, c = draw.one_of("batch", 1, 2), draw.size("height", 4, 12), draw.size("width", 4, 12), 4
    narrow = feature_map(draw, (n, h * 2, w * 2, c), dtype=dtype, name="ifm")
    deep = feature_map(draw, (n, h, w, c * 4), dtype=dtype, name="ofm")
    pair = (narrow, deep) if name == "SPACE_TO_DEPTH" else (deep, narrow)
    return Emitted(name, pair[:1], pair[1:], {"block_size": 2})


@family("SCATTER_ND")
def scatter(draw: Draw, name: str) -> Emitted:
    """Slices to their places in a tensor of zeros."""
    dtype = _dtype(draw)
    rows, width = draw.size("rows", 8, 40), draw.size("width", 6, 40)
    places = draw.often("places", [[0], [2], [5]], [[1], [1], [3]])
    if rows <= 5:
        raise Meaningless("the places lie outside")
    indices = steering(draw, places, "indices")
    updates = feature_map(draw, (3, width), dtype=dtype, name="ifm")
    ofm = feature_map(draw, (rows, width), dtype=dtype, name="ofm")
    attrs: dict[str, Any] = {}
    return Emitted(name, (indices, updates, steering(draw, (rows, width), "shape")), (ofm,), attrs)


@family("SHAPE")
def shape_op(draw: Draw, name: str) -> Emitted:
    """The shape of a tensor, as a tensor."""
    ifm = _input(draw, _dtype(draw))
    kind = np.dtype(draw.often("out", "int32", "int64"))
    return Emitted(name, (ifm,), (Value(kind, (ifm.rank,)),), {"out_type": kind})
