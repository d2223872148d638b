"""Ops that only move elements: any dtype travels as bits of one that LiteRT has a kernel for."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.lowering.ledger import Value
from edgekit.lowering.op import Unlowerable
from edgekit.lowering.tflite.builder import TFLiteBuilder
from edgekit.lowering.tflite.storage import INTEGERS, stored_data

_BITS = {1: ("int8", "uint8"), 2: ("int16", "uint16"), 4: ("int32", "uint32"), 8: ("int64", "uint64")}
_FLIP = ("float32", "float16", "bfloat16", "int8", "uint8", "int16", "int32", "int64", "bool")


def bit_carrier(dtype: np.dtype[Any], kernels: Collection[str]) -> np.dtype[Any]:
    """Returns the dtype that carries the bits of another: itself, else an integer of the same width.

    Args:
        dtype: The dtype of the elements that are moved.
        kernels: Names of the dtypes that the TFLite op has kernels for.

    Raises:
        Unlowerable: If none has the width (EK303).
    """
    if dtype.name in kernels:
        return dtype
    if dtype.kind != "O":
        for name in _BITS[dtype.itemsize]:
            if name in kernels:
                return np.dtype(name)
    raise Unlowerable(f"no kernel moves elements of {_name(dtype)}", code="EK303")


def bitcast(b: TFLiteBuilder, x: Value, dtype: Any) -> Value:
    """Reads the bits of each element as another dtype of the same width."""
    wanted = np.dtype(dtype)
    if x.dtype == wanted:
        return x
    if x.data is not None:
        return b.const(_view(x.data, wanted))
    return b.op("BITCAST", [x], dtype=wanted, shape=x.shape)


def _view(data: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    bits = np.ascontiguousarray(stored_data(data)).reshape(data.shape)
    return bits.astype(dtype) if dtype.name in INTEGERS else bits.view(dtype)


def moved(
    b: TFLiteBuilder, values: Sequence[Value], kernels: Collection[str], move: Callable[..., Value]
) -> Value:
    """Moves elements as bits: reads operands as the carrier, moves, reads the result back.

    Args:
        b: The builder.
        values: Operands, all of one dtype.
        kernels: Names of the dtypes that `move` has kernels for.
        move: Takes the operands as carriers; must not compute with them.

    Returns:
        The result in the operands' dtype.
    """
    dtype = values[0].dtype
    carrier = bit_carrier(dtype, kernels)
    return bitcast(b, move(*(bitcast(b, v, carrier) for v in values)), dtype)


def flipped(b: TFLiteBuilder, x: Value, axis: int) -> Value:
    """Reverses the order of the elements along an axis."""
    return moved(b, [x], _FLIP, lambda v: b.op("REVERSE_V2", [v, b.ints([axis])]))


def _name(dtype: np.dtype[Any]) -> str:
    return "strings" if dtype.kind == "O" else dtype.name
