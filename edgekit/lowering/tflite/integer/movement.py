"""Ops that only move or pick elements, or pick the largest: they do the same to integers as to the reals.

Quantisation is monotone, so that it commutes with every one of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from edgekit.ir import Quant
from edgekit.lowering.ledger import Emitted, Value

_DATA: Mapping[str, int] = {
    **dict.fromkeys(
        ("RESHAPE", "TRANSPOSE", "SQUEEZE", "EXPAND_DIMS", "STRIDED_SLICE", "SLICE", "GATHER",
         "DEPTH_TO_SPACE", "SPACE_TO_DEPTH", "RESIZE_NEAREST_NEIGHBOR", "MAX_POOL_2D", "PAD",
         "PADV2", "MAXIMUM", "MINIMUM", "RELU", "RELU6"),
        0,
    ),
    "SPLIT": 1,
    "SPLIT_V": 0,
    "CONCATENATION": 0,
}  # fmt: skip
ADDING = ("PAD", "PADV2", "MAXIMUM", "MINIMUM", "RELU", "RELU6")
"""Ops that mix in numbers: of reals if they were made of an op on reals, else of codes."""
_LIMITS = {"RELU": (0.0, None), "RELU6": (0.0, 6.0)}


def data_operands(op: Emitted) -> tuple[int, ...]:
    """Returns the positions of the operands that an op moves; empty if it computes."""
    if op.op not in _DATA or op.attrs.get("fused_activation_function", "NONE") != "NONE":
        return ()
    if op.op == "CONCATENATION":
        return tuple(range(len(op.inputs)))
    if op.op in ("MAXIMUM", "MINIMUM"):
        held = [v is not None and v.data is not None and v.data.size == 1 for v in op.inputs]
        return (held.index(False),) if sum(held) == 1 else ()
    if op.op == "PADV2" and (op.inputs[2] is None or op.inputs[2].data is None):
        return ()
    return (_DATA[op.op],)


def moved_operands(op: Emitted) -> dict[int, Value]:
    """Returns the operands that an op moves, by position."""
    return {i: v for i in data_operands(op) if (v := op.inputs[i]) is not None}


def moves_codes(op: Emitted) -> bool:
    """Tells whether an op does the same to codes as to reals, whatever the zero point: it adds no numbers."""
    return bool(data_operands(op)) and op.op not in ADDING and op.op != "CONCATENATION"


def is_on_grid(op: Emitted, quant: Quant, dtype: np.dtype[Any]) -> bool:
    """Tells whether the constants that an op mixes in are among the reals that integers stand for.

    The lowest float beside a maximum may become the lowest integer.
    """
    numbers = [_number(v) for v in _numbers(op)]
    numbers += [x for x in _LIMITS.get(op.op, ()) if x is not None]
    scale, zero, info = quant.scale[0], quant.zero_point[0], np.iinfo(dtype)
    for number in numbers:
        code = number / scale + zero
        if number == -np.inf and op.op == "PADV2":
            continue
        if abs(code - round(code)) > 1e-4 or not info.min <= round(code) <= info.max:
            return False
    return True


def is_implied(op: Emitted) -> bool:
    """Tells whether a limit on integers is what the dtype allows anyway."""
    if op.op not in ("MAXIMUM", "MINIMUM"):
        return False
    info = np.iinfo(op.outputs[0].dtype)
    last = info.min if op.op == "MAXIMUM" else info.max
    return any(v.data is not None and (v.data == last).all() for v in _numbers(op))


def on_codes(
    op: Emitted, operands: Mapping[int, Value], results: tuple[Value, ...], quant: Quant
) -> list[Emitted]:
    """Returns an op on integers.

    Args:
        op: The op on reals.
        operands: What takes the place of its operands, by position.
        results: What takes the place of its results.
        quant: The quantisation of both.

    Returns:
        The op; nothing less for an activation, which becomes limits.
    """
    if op.op in _LIMITS:
        return _limited(op, operands[0], results[0], quant)
    inputs = list(op.inputs)
    for index, value in enumerate(op.inputs):
        if index in operands:
            inputs[index] = operands[index]
        elif value is not None and value in _numbers(op):
            inputs[index] = code_of(_number(value), quant, results[0].dtype, value.shape)
    return [Emitted(op.op, tuple(inputs), results, op.attrs, op.origin)]


def code_of(number: float, quant: Quant, dtype: np.dtype[Any], shape: tuple[int | None, ...] = ()) -> Value:
    """Returns the constant that stands for a number."""
    info = np.iinfo(dtype)
    with np.errstate(over="ignore"):
        code = np.rint(np.float32(number) / np.float32(quant.scale[0])) + quant.zero_point[0]
    data = np.full([d or 1 for d in shape], np.clip(code, info.min, info.max)).astype(dtype)
    return Value(data.dtype, data.shape, data, quant)


def _numbers(op: Emitted) -> list[Value]:
    """Constants of the operand's own dtype: a fill, a limit."""
    if op.op == "PADV2":
        return [v for v in op.inputs[2:] if v is not None]
    if op.op in ("MAXIMUM", "MINIMUM"):
        return [v for v in op.inputs if v is not None and v.data is not None]
    return []


def _number(value: Value) -> float:
    assert value.data is not None
    return float(value.data.reshape(()))


def _limited(op: Emitted, x: Value, result: Value, quant: Quant) -> list[Emitted]:
    ops: list[Emitted] = []
    low, high = _LIMITS[op.op]
    for name, number in (("MAXIMUM", low), ("MINIMUM", high)):
        if number is None:
            continue
        y = Value(x.dtype, x.shape, None, quant)
        ops.append(Emitted(name, (x, code_of(number, quant, x.dtype)), (y,), {}, op.origin))
        x = y
    last = ops[-1]
    return [*ops[:-1], Emitted(last.op, last.inputs, (result,), {}, op.origin)]
