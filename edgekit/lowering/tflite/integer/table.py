"""A function of one int8 element is a table of 256 entries: exact, whatever the scales."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from edgekit.ir import Origin, Quant
from edgekit.lowering.ledger import Emitted, Value

INT32 = np.dtype(np.int32)


def look_up(
    code: Value, function: Callable[[NDArray[np.float64]], NDArray[np.float64]], quant: Quant, origin: Origin
) -> tuple[list[Emitted], Value]:
    """Returns CAST, ADD and GATHER that apply a function to int8 codes.

    Args:
        code: int8 or uint8, with its quantisation.
        function: Of reals, elementwise.
        quant: The quantisation of the result.
        origin: Stamped on the ops.
    """
    assert code.quant is not None
    info = np.iinfo(code.dtype)
    with np.errstate(over="ignore"):
        reals = function(
            (np.arange(float(info.min), info.max + 1.0) - code.quant.zero_point[0]) * code.quant.scale[0]
        )
    whole = np.rint(reals.astype(np.float32) / np.float32(quant.scale[0])) + quant.zero_point[0]
    entries = np.clip(whole, info.min, info.max).astype(code.dtype)
    table = Value(entries.dtype, entries.shape, entries, quant)
    offset = np.asarray(-info.min, np.int32)
    wide, index = Value(INT32, code.shape), Value(INT32, code.shape)
    result = Value(entries.dtype, code.shape, None, quant)
    cast = {"in_data_type": code.dtype, "out_data_type": INT32}
    plain = {"fused_activation_function": "NONE"}
    return [
        Emitted("CAST", (code,), (wide,), cast, origin),
        Emitted("ADD", (wide, Value(INT32, (), offset)), (index,), plain, origin),
        Emitted("GATHER", (table, index), (result,), {"axis": 0, "batch_dims": 0}, origin),
    ], result
