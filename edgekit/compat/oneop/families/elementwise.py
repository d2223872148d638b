"""Ops that work element by element, and those along one axis that keep the shape."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from edgekit.compat.oneop.draw import Draw
from edgekit.compat.oneop.model import constant, feature_map, quant_for
from edgekit.compat.oneop.table import family
from edgekit.ir import Quant
from edgekit.lowering.ledger import Emitted, Value

_OPTIONS: dict[str, dict[str, Any]] = {
    "LEAKY_RELU": {"alpha": 0.1},
    "GELU": {"approximate": False},
    "SOFTMAX": {"beta": 1.0},
}


def shape_of(draw: Draw, *, near: tuple[int, ...] = (16,), high: int = 48) -> tuple[int, ...]:
    """Returns a shape of rank 0 to 6, mostly 4."""
    rank = draw.one_of("rank", 4, 1, 2, 3, 3, 2, 5, 6, 0)
    sizes = (
        draw.one_of("outer", 1, 2, 3),
        draw.one_of("outer2", 1, 2),
        draw.one_of("batch", 1, 2, 5),
        draw.size("height", 6, high, near=(1,)),
        draw.size("width", 7, high, near=(1,)),
        draw.size("channels", 8, high, near=near),
    )
    return sizes[len(sizes) - rank :]


@family("ABS", "NEG", "RELU", "RELU6", "RELU_N1_TO_1", "RELU_0_TO_1", "LOGISTIC", "TANH", "EXP", "LOG",
        "RSQRT", "SQRT", "GELU", "ELU", "HARD_SWISH", "LEAKY_RELU", "LOG_SOFTMAX", "SQUARE", "SIN", "CEIL",
        "ROUND")  # fmt: skip
def unary(draw: Draw, name: str) -> Emitted:
    """One operand, a result of the same shape."""
    dtype = draw.one_of("dtype", "int8", "int16", "int16", "uint8", "uint8", "float32", "int32")
    shape = shape_of(draw)
    ifm = feature_map(draw, shape, dtype=dtype, name="ifm")
    result = draw.one_of("result", "same", "int16", "int8")
    ofm = feature_map(draw, shape, dtype=dtype if result == "same" else result, name="ofm")
    if name in ("LOGISTIC", "TANH") and ofm.quant is not None and len(ofm.quant.scale) == 1:
        scale = {"int8": 1 / 256, "uint8": 1 / 256}.get(ofm.dtype.name, 1 / 32768)
        ofm = replace(ofm, quant=Quant((scale,), ofm.quant.zero_point))
    return Emitted(name, (ifm,), (ofm,), dict(_OPTIONS.get(name, {})))


@family("SOFTMAX")
def softmax(draw: Draw, name: str) -> Emitted:
    """A softmax along the last axis; height and width reach the limits."""
    dtype = draw.one_of("dtype", "int8", "int16", "uint8", "float32", "int32")
    rank = draw.often("rank", 2, 3, 4, 1)
    sizes = (
        draw.one_of("batch", 1, 2, 4),
        draw.size("height", 4, 300, near=(1, 256)),
        draw.size("width", 4, 300, near=(1, 256)),
        draw.size("channels", 10, 64, near=(1,)),
    )
    if rank == 2:
        sizes = (*sizes[:2], draw.size("rows", 1, 100, near=(65536,)), sizes[3])
    shape = sizes[4 - rank :]
    ifm = feature_map(draw, shape, dtype=dtype, name="ifm")
    ofm = feature_map(draw, shape, dtype=dtype, name="ofm")
    return Emitted(name, (ifm,), (ofm,), {"beta": draw.one_of("beta", 1.0, 0.5, 0.0)})


@family(
    "ADD", "SUB", "MUL", "DIV", "MINIMUM", "MAXIMUM", "SQUARED_DIFFERENCE", "POW", "FLOOR_DIV", "FLOOR_MOD"
)
def binary(draw: Draw, name: str) -> Emitted:
    """Two operands that may be broadcast, or be constant."""
    dtype = draw.one_of("dtype", "int8", "int8", "int16", "uint8", "float32", "int32", "int64")
    shape = shape_of(draw)
    first = feature_map(draw, shape, dtype=dtype, name="ifm")
    second = _second(draw, shape, dtype)
    if name in ("MINIMUM", "MAXIMUM") and draw.often("same_scale", True, True, False) is False:
        second = replace(second, quant=second.quant and Quant((0.07,), second.quant.zero_point[:1]))
    result = draw.one_of("result", "same", "int32", "int16", "int8")
    ofm = feature_map(draw, shape, dtype=dtype if result == "same" else result, name="ofm")
    attrs: dict[str, Any] = {}
    if name in ("ADD", "SUB", "MUL", "DIV"):
        attrs["fused_activation_function"] = draw.one_of(
            "activation", "NONE", "RELU", "RELU6", "RELU_N1_TO_1", "TANH"
        )
    operands = (second, first) if draw.one_of("swapped", False, True) else (first, second)
    return Emitted(name, operands, (ofm,), attrs)


def _second(draw: Draw, shape: tuple[int, ...], dtype: str) -> Value:
    kind = draw.one_of("second", "same", "scalar", "channel", "row", "constant")
    smaller = {
        "scalar": (),
        "channel": shape[-1:],
        "row": (*(1 for _ in shape[:-2]), *shape[-2:-1], 1) if len(shape) > 1 else shape,
    }
    value = feature_map(draw, smaller.get(kind, shape), dtype=dtype, name="ifm2")
    if kind not in ("constant", "scalar"):
        return value
    data = np.asarray(draw.random.integers(1, 90, value.static_shape), value.dtype)
    return Value(value.dtype, value.shape, data, value.quant)


@family("EQUAL", "NOT_EQUAL", "LESS", "LESS_EQUAL", "GREATER", "GREATER_EQUAL")
def comparison(draw: Draw, name: str) -> Emitted:
    """Two operands, a truth value for each pair."""
    dtype = draw.one_of("dtype", "int8", "int16", "uint8", "float32", "int32")
    shape = shape_of(draw)
    first = feature_map(draw, shape, dtype=dtype, name="ifm")
    return Emitted(name, (first, _second(draw, shape, dtype)), (Value(np.dtype(bool), shape),), {})


@family("LOGICAL_AND", "LOGICAL_OR", "LOGICAL_NOT")
def logical(draw: Draw, name: str) -> Emitted:
    """Truth values."""
    shape = shape_of(draw)
    operands = tuple(Value(np.dtype(bool), shape) for _ in range(1 if name == "LOGICAL_NOT" else 2))
    return Emitted(name, operands, (Value(np.dtype(bool), shape),), {})


@family("SELECT_V2")
def select(draw: Draw, name: str) -> Emitted:
    """One of two operands, by a third."""
    dtype = draw.one_of("dtype", "int8", "int16", "float32", "int32")
    shape = shape_of(draw)
    condition = Value(np.dtype(bool), draw.one_of("condition", shape, shape[-1:]))
    yes, no = (feature_map(draw, shape, dtype=dtype, name=f"ifm{i}") for i in (2, 3))
    return Emitted(name, (condition, yes, no), (feature_map(draw, shape, dtype=dtype, name="ofm"),), {})


@family("PRELU")
def prelu(draw: Draw, name: str) -> Emitted:
    """A slope per channel, or for every element."""
    dtype = draw.one_of("dtype", "int8", "int16", "uint8", "float32", "int32")
    shape = shape_of(draw)
    slopes = draw.one_of("alpha", (*([1] * (max(len(shape), 1) - 2)), *shape[-1:]), shape[-1:], shape)
    quant = quant_for(dtype, slopes)
    alpha = constant(draw.random.integers(0, 9, slopes), dtype, quant)
    if draw.one_of("alpha_from", "constant", "run time") == "run time":
        alpha = Value(alpha.dtype, alpha.shape, None, quant)
    ifm = feature_map(draw, shape, dtype=dtype, name="ifm")
    return Emitted(name, (ifm, alpha), (feature_map(draw, shape, dtype=dtype, name="ofm"),), {})


@family("QUANTIZE", "CAST", "DEQUANTIZE")
def conversion(draw: Draw, name: str) -> Emitted:
    """From one dtype to another."""
    kinds = ("int8", "int16", "uint8", "int32", "float32", "int64", "bool")
    source, result = draw.often("dtype", *kinds), draw.often("result", *kinds)
    shape = shape_of(draw)
    if name == "QUANTIZE" and result in ("float32", "bool", "int64"):
        result = "int8"
    if name == "DEQUANTIZE":
        result = "float32"
    ifm = feature_map(draw, shape, dtype=source, name="ifm")
    ofm = feature_map(draw, shape, dtype=result, name="ofm")
    attrs = {"in_data_type": ifm.dtype, "out_data_type": ofm.dtype} if name == "CAST" else {}
    return Emitted(name, (ifm,), (ofm,), attrs)
