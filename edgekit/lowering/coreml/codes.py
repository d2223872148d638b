"""Quantised tensors as Core ML has them: a pair of quantize and dequantize, and weights of bytes."""

from __future__ import annotations

from typing import Any

import numpy as np

from edgekit.ir import Quant
from edgekit.lowering.coreml.builder import CoreMlBuilder
from edgekit.lowering.coreml.tools import mil
from edgekit.lowering.ledger import Value
from edgekit.lowering.op import Op

PAIR = "quantize_dequantize"
"""In the ledger, both ops as one: the integers between them are of a dtype that nothing else takes."""
WEIGHTS = {
    "conv": ("weight",),
    "conv_transpose": ("weight",),
    "linear": ("weight",),
    "matmul": ("x", "y"),
    "gather": ("x",),
}
"""Operands that may be stored as bytes, by op."""


def constant_quant(n: Op, x: Value) -> Quant | None:
    """Returns scales and zero points of a node if they are constants, for the tensor or along one axis."""
    scale, zero = n.const(1), n.const(2)
    if scale is None or scale.dtype != np.float32 or (n.input(2) is not None and zero is None):
        return None
    scales = scale.reshape(-1)
    zeros = np.zeros(scales.shape, np.int64) if zero is None else zero.reshape(-1).astype(np.int64)
    if n.attr("block_size", 0) or not scales.size or scale.ndim > 1 or not (scales > 0).all():
        return None
    axis = None if scales.size == 1 else int(n.attr("axis", 1)) % x.rank
    return Quant(tuple(map(float, scales)), tuple(map(int, zeros)), axis)


def coded(b: CoreMlBuilder, x: Value, dtype: np.dtype[Any], quant: Quant) -> Value:
    """Emits the pair: `x` as its integers stand for it.

    Args:
        b: The builder.
        x: float32.
        dtype: int8 or uint8.
        quant: Scales and zero points.
    """
    result = b.value(np.float32, x.shape)
    b.emit(PAIR, {"input": x, "output_dtype": dtype.name, "quant": quant}, [result])
    return result


def emit_pair(input: Any, output_dtype: str, quant: Quant, **label: str) -> Any:
    """Writes the pair into a MIL program; returns the variable of its result."""
    m = mil().Builder
    params = _parameters(quant, np.dtype(output_dtype))
    whole = m.quantize(input=input, output_dtype=output_dtype, **params)
    return m.dequantize(input=whole, **params, **label)


def emit_weight(value: Value, ios: int) -> Any | None:
    """Writes a constant as the bytes that it stands for, if it is exactly what they give.

    Args:
        value: A float32 constant with `quant`.
        ios: The iOS release of the op set.
    """
    quant, data = value.quant, value.data
    if quant is None or data is None or data.ndim < 2 or ios < 16:
        return None
    shape = [-1 if axis == quant.axis else 1 for axis in range(data.ndim)]
    scale = np.asarray(quant.scale, np.float32).reshape(shape)
    zero = np.asarray(quant.zero_point, np.int32).reshape(shape)
    codes = np.rint(data.astype(np.float64) / scale).astype(np.int64) + zero
    dtype = next((d for d in (np.int8, np.uint8) if _holds(d, codes) and _holds(d, zero)), None)
    if dtype is None or not np.array_equal((codes - zero).astype(np.float32) * scale, data):
        return None
    m = mil().Builder
    if ios >= 18:
        offset = {"offset": zero.astype(dtype)} if zero.any() else {}
        return m.constexpr_blockwise_shift_scale(data=codes.astype(dtype), scale=scale, **offset)
    params = {"axis": 0, **_parameters(quant, np.dtype(dtype))}
    return m.constexpr_affine_dequantize(quantized_data=codes.astype(dtype), **params)


def _holds(dtype: Any, numbers: Any) -> bool:
    limits = np.iinfo(dtype)
    return bool(np.all((numbers >= limits.min) & (numbers <= limits.max)))


def _parameters(quant: Quant, dtype: np.dtype[Any]) -> dict[str, Any]:
    scale, zero = np.asarray(quant.scale, np.float32), np.asarray(quant.zero_point, dtype)
    if quant.axis is None:
        return {"scale": scale[0], "zero_point": zero[0]}
    return {"scale": scale, "zero_point": zero, "axis": quant.axis}
