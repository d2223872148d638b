"""Scattering rows into a tensor: every element is kept, replaced or combined exactly once per update."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from edgekit.lowering.ledger import Value
from edgekit.lowering.op import Op
from edgekit.lowering.tflite import sizes as sz
from edgekit.lowering.tflite.builder import TFLiteBuilder
from edgekit.lowering.tflite.integers import ARITHMETIC
from edgekit.lowering.tflite.kernels import carried, carrier
from edgekit.lowering.tflite.movement import moved

Update = Callable[[Value, Value, Value], Value]

_SEGMENTS = {"mul": "UNSORTED_SEGMENT_PROD", "max": "UNSORTED_SEGMENT_MAX", "min": "UNSORTED_SEGMENT_MIN"}
_COMBINE = {"add": "ADD", "mul": "MUL", "max": "MAXIMUM", "min": "MINIMUM"}
_SCATTER = ("float32", "int8", "uint8", "int32", "int64", "bool")
_GATHER = ("float32", "float16", "bfloat16", "int8", "uint8", "int16", "int32", "int64", "bool")


def scatter_rows(b: TFLiteBuilder, n: Op, data: Value, rows: Value, updates: Value, reduction: str) -> Value:
    """Writes updates into the rows of a matrix.

    Args:
        b: The builder.
        n: The node, for refusals.
        data: Shape (rows, width).
        rows: Row number of each update, int32, shape (updates,); not negative.
        updates: Shape (updates, width).
        reduction: `none` replaces (the last of equal row numbers counts), `add`, `mul`, `max` or
            `min` combine with what is there.

    Returns:
        The matrix, shape (rows, width).
    """
    if reduction == "none":
        if rows.data is not None and data.shape[0] is not None:
            return _replaced_by_plan(b, data, rows.data, updates)
        return _replaced(b, data, rows, updates)
    if reduction == "add":
        return _added(b, data, rows, updates)
    return _combined(b, n, data, rows, updates, reduction)


def _replaced_by_plan(b: TFLiteBuilder, data: Value, rows: np.ndarray, updates: Value) -> Value:
    """Known rows: one GATHER picks each row from the data or from the updates."""
    height = data.shape[0]
    assert height is not None
    source = np.arange(height, dtype=np.int32)
    source[rows] = height + np.arange(len(rows), dtype=np.int32)

    def pick(d: Value, u: Value) -> Value:
        both = b.concat([d, u], 0)
        return b.op("GATHER", [both, b.const(source)], {"axis": 0}, dtype=d.dtype, shape=d.shape)

    return moved(b, [data, updates], _GATHER, pick)


def _replaced(b: TFLiteBuilder, data: Value, rows: Value, updates: Value) -> Value:
    """Row numbers known only at run time: each row finds the last update that names it, if any."""
    height, count = sz.size_of(b, data, 0), sz.size_of(b, updates, 0)
    number = sz.iota(b, count)
    last = b.op(
        "UNSORTED_SEGMENT_MAX", [number, rows, sz.scalar(b, height)], dtype=np.int32, shape=(data.shape[0],)
    )
    named = b.binary("GREATER_EQUAL", last, b.const(0, np.int32))
    own = sz.iota(b, height)
    offset = b.binary("ADD", last, sz.scalar(b, height))
    source = b.op("SELECT_V2", [named, offset, own])

    def pick(d: Value, u: Value) -> Value:
        both = b.concat([d, u], 0)
        return b.op("GATHER", [both, source], {"axis": 0}, dtype=d.dtype, shape=d.shape)

    return moved(b, [data, updates], _GATHER, pick)


def _added(b: TFLiteBuilder, data: Value, rows: Value, updates: Value) -> Value:
    """SCATTER_ND adds up what lands in one place."""
    column = b.op("EXPAND_DIMS", [rows, b.ints(1)], dtype=np.int32, shape=(rows.shape[0], 1))

    def add(d: Value, u: Value) -> Value:
        total = b.op("SCATTER_ND", [column, u, b.shape_of(d)], dtype=d.dtype, shape=d.shape)
        return b.binary("ADD", d, total)

    return carried(b, [data, updates], ARITHMETIC, add)


def _combined(b: TFLiteBuilder, n: Op, data: Value, rows: Value, updates: Value, reduction: str) -> Value:
    """Combines the updates of each row, then with the row; a row without updates is kept as it is."""
    dtype = carrier(data.dtype, ARITHMETIC)
    if dtype == np.int64:
        n.refuse(f"no kernel combines elements of {data.dtype.name} by `{reduction}`", code="EK303")
    height = sz.scalar(b, sz.size_of(b, data, 0))
    ones = b.op("ZEROS_LIKE", [rows], dtype=np.int32, shape=rows.shape)
    named = b.op("UNSORTED_SEGMENT_MAX", [ones, rows, height], dtype=np.int32, shape=(data.shape[0],))
    is_named = b.reshape(b.binary("EQUAL", named, b.const(0, np.int32)), (data.shape[0], 1))

    def combine(d: Value, u: Value) -> Value:
        part = b.op(_SEGMENTS[reduction], [u, rows, height], dtype=d.dtype, shape=d.shape)
        return b.op("SELECT_V2", [is_named, b.binary(_COMBINE[reduction], d, part), d])

    return carried(b, [data, updates], ("float32", "int32"), combine)
