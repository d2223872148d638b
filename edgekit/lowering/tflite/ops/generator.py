"""Ops that make tensors from sizes and bounds: Range, ConstantOfShape, EyeLike, OneHot, Trilu."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir

from edgekit.ir import numpy_dtype
from edgekit.lowering.ledger import Value
from edgekit.lowering.op import Op
from edgekit.lowering.tflite import sizes as sz
from edgekit.lowering.tflite.builder import TFLiteBuilder
from edgekit.lowering.tflite.formula import Term
from edgekit.lowering.tflite.kernels import carried, carrier
from edgekit.lowering.tflite.movement import moved
from edgekit.lowering.tflite.table import lowers

_SMALL = 2**16
"""Constants of up to this many elements are stored; larger ones are made at run time."""
_FILL = ("float32", "float64", "float16", "bfloat16", "int8", "uint8", "int16", "uint16", "int32",
         "uint32", "int64", "uint64", "bool")  # fmt: skip


@lowers("Range", since=11)
def range_(b: TFLiteBuilder, n: Op) -> Value:
    """Range -> RANGE of integers; CUMSUM of the steps of floats, which adds as ONNX does."""
    bounds = [b.reshape(n.operand(i), ()) for i in range(3)]
    if bounds[0].dtype.kind in "iu":
        return carried(
            b, bounds, ("int32", "int64"), lambda *v: _integer_range(*(Term(b, x) for x in v)).value
        )
    return carried(b, bounds, ("float32",), lambda *v: _float_range(*(Term(b, x) for x in v)).value)


def _integer_range(start: Term, limit: Term, delta: Term) -> Term:
    """RANGE refuses a limit that lies behind the start, which makes an empty range."""
    b = start.b
    ahead = Term(b, b.binary("EQUAL", (limit > start).value, (delta > 0).value))
    reached = ahead.where(limit, start)
    operands = [start.value, reached.value, delta.value]
    return Term(b, b.op("RANGE", operands, dtype=start.value.dtype, shape=(None,)))


def _float_range(start: Term, limit: Term, delta: Term) -> Term:
    """The remainder of the division is exact and tells whether a last, partial step counts."""
    b = start.b
    span = limit - start
    rest = Term(b, b.binary("FLOOR_MOD", span.abs().value, delta.abs().value))
    whole = ((span.abs() - rest) / delta.abs()).unary("ROUND")
    steps = (whole + (rest > 0).cast(np.float32)).cast(np.int32)
    ahead = Term(b, b.binary("EQUAL", (span > 0).value, (delta > 0).value))
    count = ahead.where(steps, 0).reshape((1,))
    further = b.op("FILL", [(count - 1).maximum(0).value, delta.value], dtype=np.float32, shape=(None,))
    running = b.op("CUMSUM", [b.concat([start.reshape((1,)).value, further], 0), b.ints(0)])
    bounds = [b.ints([0]), count.value]
    return Term(b, b.op("SLICE", [running, *bounds], dtype=np.float32, shape=(None,)))


@lowers("ConstantOfShape", since=9)
def constant_of_shape(b: TFLiteBuilder, n: Op) -> Value:
    """ConstantOfShape -> a constant if it is small, else FILL."""
    given = n.attr("value")
    value = np.zeros((), np.float32) if given is None else given.numpy().reshape(())
    wanted = n.const(0)
    if wanted is not None and np.prod(wanted, dtype=np.float64) <= _SMALL:
        return b.const(np.full(tuple(int(d) for d in wanted), value))
    shape = n.out_shape() if wanted is None else tuple(int(d) for d in wanted)
    dims = b.cast(n.operand(0), np.int32)
    return moved(b, [b.const(value)], _FILL, lambda v: b.op("FILL", [dims, v], dtype=v.dtype, shape=shape))


@lowers("EyeLike", since=9)
def eye_like(b: TFLiteBuilder, n: Op) -> Value:
    """EyeLike -> a constant, or a comparison of row and column numbers."""
    x, k = n.operand(0), n.attr("k", 0)
    kind = n.attr("dtype")
    dtype = x.dtype if kind is None else numpy_dtype(ir.DataType(kind))
    if x.static_shape is not None and np.prod(x.static_shape) <= _SMALL:
        rows, columns = x.static_shape
        return b.const(np.eye(rows, columns, k).astype(dtype))
    return _cast_mask(b, _diagonal(b, x, "EQUAL", b.ints([k])), dtype)


def _diagonal(b: TFLiteBuilder, x: Value, relation: str, k: Value) -> Value:
    """Compares `column - row` of the last two axes with `k`."""
    rows = b.reshape(sz.iota(b, sz.size_of(b, x, -2)), (x.shape[-2], 1))
    columns = b.reshape(sz.iota(b, sz.size_of(b, x, -1)), (1, x.shape[-1]))
    return b.binary(relation, b.binary("SUB", columns, rows), k)


def _cast_mask(b: TFLiteBuilder, mask: Value, dtype: Any) -> Value:
    one, zero = b.const(1, dtype), b.const(0, dtype)
    return b.op("SELECT_V2", [mask, one, zero])


@lowers("Trilu", since=14)
def trilu(b: TFLiteBuilder, n: Op) -> Value:
    """Trilu -> SELECT_V2 by a triangular mask."""
    x, upper = n.operand(0), bool(n.attr("upper", 1))
    given, known = n.input(1), n.const(1)
    k = 0 if known is None else int(known.reshape(()))
    h, w = x.shape[-2:]
    if h is not None and w is not None and (given is None or known is not None) and h * w <= _SMALL:
        row, column = np.ogrid[:h, :w]
        mask = b.const(column - row >= k if upper else column - row <= k)
    else:
        at = b.ints([k]) if given is None or known is not None else b.reshape(b.cast(given, np.int32), (1,))
        mask = _diagonal(b, x, "GREATER_EQUAL" if upper else "LESS_EQUAL", at)
    return moved(b, [x], _FILL, lambda v: b.op("SELECT_V2", [mask, v, b.scalar(0, v)]))


@lowers("OneHot", since=11)
def one_hot(b: TFLiteBuilder, n: Op) -> Value:
    """OneHot -> EQUAL of the indices with 0, 1, ..., then SELECT_V2 between the two values."""
    indices, values = n.operand(0), n.operand(2)
    depth = n.const(1)
    size: sz.Size = (
        b.reshape(b.cast(n.operand(1), np.int32), (1,)) if depth is None else int(depth.reshape(()))
    )
    whole = b.cast(
        indices, carrier(indices.dtype, ("int32", "int64")) if indices.dtype.kind in "iu" else np.int64
    )
    rank = indices.rank + 1
    axis = n.attr("axis", -1) % rank
    at = Term(b, whole)
    from_front = (at < 0).where(at + Term(b, sz.scalar(b, size, whole.dtype.type)), at).value
    column = b.op("EXPAND_DIMS", [from_front, b.ints(axis)], dtype=whole.dtype,
                  shape=(*whole.shape[:axis], 1, *whole.shape[axis:]))  # fmt: skip
    classes = sz.reshape(b, sz.iota(b, size, whole.dtype.type), [size, *(1,) * (rank - 1 - axis)])
    hot = b.binary("EQUAL", column, classes)
    off, on = (b.reshape(sz.element(b, values, i), ()) for i in (0, 1))
    return moved(b, [on, off], _FILL, lambda yes, no: b.op("SELECT_V2", [hot, yes, no]))
