"""Ops along named axes commute with every permutation when the axes are renamed with it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.lowering.ledger import Emitted, Value
from edgekit.lowering.tflite.layout.lemma import Rewrite, uniform
from edgekit.lowering.tflite.layout.perm import Perm, identity, inverse


def _const(data: Any, like: Value) -> Value:
    array: NDArray[Any] = np.ascontiguousarray(np.asarray(data, like.dtype))
    return Value(array.dtype, array.shape, array)


def moved_axis(axis: int, perm: Perm) -> int:
    """Returns where an axis (negative allowed) lies in the transposed tensor."""
    return inverse(perm)[axis % len(perm)]


@uniform("CONCATENATION")
def concatenation(op: Emitted, perm: Perm) -> Rewrite | None:
    """Constants among the operands are permuted at once."""
    operands: dict[int, Value] = {}
    for index, value in enumerate(op.inputs):
        assert value is not None
        if value.data is not None:
            data = np.ascontiguousarray(value.data.transpose(perm))
            operands[index] = Value(data.dtype, data.shape, data, value.quant)
    inputs = tuple(None if i in operands else perm for i in range(len(op.inputs)))
    attrs = {"axis": moved_axis(op.attrs["axis"], perm)}
    return Rewrite(inputs, (perm,), operands, attrs)


def _first_and_table(op: Emitted, perm: Perm, positions: tuple[int, ...]) -> Rewrite | None:
    """The operands at `positions` are constant tables with one row per axis."""
    operands: dict[int, Value] = {}
    for index in positions:
        table = op.inputs[index]
        if table is None or table.data is None:
            return None
        operands[index] = _const(table.data[list(perm)], table)
    inputs = (perm, *(None for _ in op.inputs[1:]))
    return Rewrite(inputs, (perm,), operands)


@uniform("PAD", "PADV2", "MIRROR_PAD", "TILE")
def table_per_axis(op: Emitted, perm: Perm) -> Rewrite | None:
    """Paddings and repeats have one row per axis."""
    return _first_and_table(op, perm, (1,))


@uniform("SLICE")
def slice_(op: Emitted, perm: Perm) -> Rewrite | None:
    """Begin and size have one entry per axis."""
    return _first_and_table(op, perm, (1, 2))


@uniform("STRIDED_SLICE")
def strided_slice(op: Emitted, perm: Perm) -> Rewrite | None:
    """Begin, end and strides have one entry per axis, the masks one bit."""
    rank, masks = len(perm), ("ellipsis_mask", "new_axis_mask", "shrink_axis_mask")
    begin = op.inputs[1]
    if any(op.attrs.get(m) for m in masks) or begin is None or begin.shape != (rank,):
        return None
    rewrite = _first_and_table(op, perm, (1, 2, 3))
    if rewrite is None:
        return None
    attrs = {m: _moved_bits(op.attrs.get(m, 0), perm) for m in ("begin_mask", "end_mask")}
    return Rewrite(rewrite.inputs, rewrite.outputs, rewrite.operands, attrs)


def _moved_bits(mask: int, perm: Perm) -> int:
    return sum(1 << k for k, axis in enumerate(perm) if mask >> axis & 1)


@uniform("SPLIT")
def split(op: Emitted, perm: Perm) -> Rewrite | None:
    """The axis is the first operand."""
    axis = op.inputs[0]
    if axis is None or axis.data is None:
        return None
    moved = _const(np.full(axis.shape, moved_axis(int(axis.data.reshape(-1)[0]), perm)), axis)
    return Rewrite((None, perm), tuple(perm for _ in op.outputs), {0: moved})


@uniform("SPLIT_V")
def split_v(op: Emitted, perm: Perm) -> Rewrite | None:
    """The axis is the third operand."""
    axis = op.inputs[2]
    if axis is None or axis.data is None:
        return None
    moved = _const(np.full(axis.shape, moved_axis(int(axis.data.reshape(-1)[0]), perm)), axis)
    return Rewrite((perm, None, None), tuple(perm for _ in op.outputs), {2: moved})


@uniform("REVERSE_V2", "CUMSUM")
def axes_operand(op: Emitted, perm: Perm) -> Rewrite | None:
    """The axes are the second operand."""
    axes = op.inputs[1]
    if axes is None or axes.data is None:
        return None
    moved = np.reshape([moved_axis(int(a), perm) for a in axes.data.reshape(-1)], axes.data.shape)
    return Rewrite((perm, None), (perm,), {1: _const(moved, axes)})


@uniform("GATHER")
def gather(op: Emitted, perm: Perm) -> Rewrite | None:
    """Along one axis with a vector of indices the result keeps the rank."""
    indices = op.inputs[1]
    assert indices is not None
    if indices.rank != 1 or op.attrs.get("batch_dims"):
        return None
    return Rewrite((perm, None), (perm,), {}, {"axis": moved_axis(op.attrs.get("axis", 0), perm)})


@uniform("BROADCAST_TO")
def broadcast_to(op: Emitted, perm: Perm) -> Rewrite | None:
    """The shape has one entry per axis; the operand must have full rank."""
    x, shape = op.inputs
    assert x is not None
    if x.rank != len(perm) or x.data is not None or shape is None or shape.data is None:
        return None
    return Rewrite((perm, None), (perm,), {1: _const(shape.data[list(perm)], shape)})


@uniform("SOFTMAX", "LOG_SOFTMAX")
def last_axis(op: Emitted, perm: Perm) -> Rewrite | None:
    """Ops along the last axis commute as long as it stays the last."""
    return Rewrite((perm,), (perm,)) if perm[-1] == len(perm) - 1 else None


@uniform("QUANTIZE", "DEQUANTIZE")
def per_tensor(op: Emitted, perm: Perm) -> Rewrite | None:
    """Per-tensor quantisation is elementwise; a channel axis would have to move with it."""
    values = [v for v in (*op.inputs, *op.outputs) if v is not None]
    if any(v.data is not None or (v.quant and v.quant.axis is not None) for v in values):
        return None if perm != identity(len(perm)) else Rewrite((None,), (perm,))
    return Rewrite((perm,), (perm,))
