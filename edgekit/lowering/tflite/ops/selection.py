"""Ops that find elements: ArgMax, ArgMin, TopK."""

from __future__ import annotations

import numpy as np

from edgekit.lowering.ledger import Value
from edgekit.lowering.op import Op
from edgekit.lowering.tflite import sizes as sz
from edgekit.lowering.tflite.builder import TFLiteBuilder
from edgekit.lowering.tflite.integers import signed_order
from edgekit.lowering.tflite.kernels import carrier
from edgekit.lowering.tflite.movement import flipped
from edgekit.lowering.tflite.reduce import reduced_shape
from edgekit.lowering.tflite.table import lowers

_BUILTIN = {"ArgMax": "ARG_MAX", "ArgMin": "ARG_MIN"}
_ARG = ("float32", "int32")
_TOPK = ("float32", "int32", "int64")


@lowers("ArgMax", "ArgMin", since=13)
def arg_extremum(b: TFLiteBuilder, n: Op) -> Value:
    """ArgMax, ArgMin -> ARG_MAX, ARG_MIN, which find the first of equal elements; the last on the reverse."""
    x = n.operand(0)
    axis = n.attr("axis", 0) % x.rank
    if x.dtype.name in ("int64", "uint32", "uint64"):
        index = _first_by_order(b, x, axis, largest=n.type == "ArgMax", last=n.attr("select_last_index", 0))
    else:
        index = _argument(b, n, b.cast(x, carrier(x.dtype, _ARG)), axis)
    if not n.attr("keepdims", 1):
        return index
    sizes = sz.sizes_of(b, x)
    return sz.reshape(b, index, [*sizes[:axis], 1, *sizes[axis + 1 :]])


def _argument(b: TFLiteBuilder, n: Op, x: Value, axis: int) -> Value:
    shape = reduced_shape(x.shape, [axis], keep=False)
    last = n.attr("select_last_index", 0)
    source = flipped(b, x, axis) if last else x
    attrs = {"output_type": np.dtype(np.int64)}
    index = b.op(_BUILTIN[n.type], [source, b.ints(axis)], attrs, dtype=np.int64, shape=shape)
    return _from_end(b, index, x, axis) if last else index


def _from_end(b: TFLiteBuilder, index: Value, x: Value, axis: int) -> Value:
    end = sz.scalar(b, sz.combine(b, "SUB", sz.size_of(b, x, axis), 1), np.int64)
    return b.binary("SUB", end, index)


def _first_by_order(b: TFLiteBuilder, x: Value, axis: int, *, largest: bool, last: bool) -> Value:
    """64-bit integers: TOPK_V2 compares them, ARG_MAX does not."""
    source = flipped(b, x, axis) if last else x
    _, indices = top_k(b, source, axis, 1, largest=largest)
    sizes = sz.sizes_of(b, x)
    index = sz.reshape(b, b.cast(indices, np.int64), [*sizes[:axis], *sizes[axis + 1 :]])
    return _from_end(b, index, x, axis) if last else index


@lowers("TopK", since=11)
def lower_top_k(b: TFLiteBuilder, n: Op) -> tuple[Value, Value]:
    """TopK -> TOPK_V2 on the last axis; of equal elements it takes the first, as ONNX does."""
    x, k = n.operand(0), n.const(1)
    axis = n.attr("axis", -1) % x.rank
    count = sz.element(b, b.cast(n.operand(1), np.int32), 0) if k is None else int(k.reshape(()))
    values, indices = top_k(b, x, axis, count, largest=bool(n.attr("largest", 1)))
    return values, b.cast(indices, np.int64)


def top_k(b: TFLiteBuilder, x: Value, axis: int, k: sz.Size, *, largest: bool) -> tuple[Value, Value]:
    """Returns the first `k` elements in order and their indices (int32) along an axis."""
    last = [*(i for i in range(x.rank) if i != axis), axis]
    back = [int(p) for p in np.argsort(last)]
    rows = b.transpose(_key(b, x, largest=largest), last)
    shape = (*rows.shape[:-1], k if isinstance(k, int) else None)
    outputs = [(rows.dtype, shape), (np.int32, shape)]
    values, indices = b.multi("TOPK_V2", [rows, sz.scalar(b, k)], outputs)
    values = b.transpose(values, back)
    return _unkey(b, values, x.dtype, largest=largest), b.transpose(indices, back)


def order_key(b: TFLiteBuilder, x: Value) -> Value:
    """Maps elements to a dtype that TOPK_V2 compares, keeping their order."""
    return signed_order(b, x) if x.dtype == np.uint64 else b.cast(x, carrier(x.dtype, _TOPK))


def _key(b: TFLiteBuilder, x: Value, *, largest: bool) -> Value:
    key = order_key(b, x)
    return key if largest else _reversed(b, key)


def _unkey(b: TFLiteBuilder, key: Value, dtype: np.dtype[np.generic], *, largest: bool) -> Value:
    key = key if largest else _reversed(b, key)
    if dtype == np.uint64:
        shifted = b.binary("ADD", key, b.const(-(2**63), np.int64))
        return b.op("BITCAST", [shifted], dtype=dtype, shape=key.shape)
    return b.cast(key, dtype)


def _reversed(b: TFLiteBuilder, key: Value) -> Value:
    """Reverses the order; its own inverse. `-1 - x` cannot overflow where `-x` does."""
    return b.unary("NEG", key) if key.dtype.kind == "f" else b.binary("SUB", b.scalar(-1, key), key)
