"""Integer forms of TFLite ops: what each kernel asks of scales, weights and biases."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.ir import Quant
from edgekit.lowering.ledger import Emitted, Subgraph, Value
from edgekit.lowering.tflite.grid import steps

INT8 = np.dtype(np.int8)
UINT8 = np.dtype(np.uint8)
INT16 = np.dtype(np.int16)
INT32 = np.dtype(np.int32)
INT64 = np.dtype(np.int64)
_WEIGHTED = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV")
WITHOUT_INT16 = frozenset(("HARD_SWISH", "GELU", "PRELU"))
"""Ops whose kernels take int8 but not int16."""
WITHOUT_UINT8 = frozenset(("BATCH_MATMUL", "GELU"))
"""Ops whose kernels take int8 but not uint8."""


class StaysFloat(Exception):  # noqa: N818 - a verdict, not a failure of the program
    """An op has no integer form here; the text says why."""


@dataclass(frozen=True, slots=True)
class Form:
    """An integer form.

    Attributes:
        inputs: The operands, integers where they were reals.
        own: The quantisation that the kernel gives its result; `None` for any.
        otherwise: The form for a result of another scale than `own`: operands, op and options.
        table: The function that the op applies to each element, for a scale that the kernel does not give
            and for those who want it exact.
    """

    inputs: tuple[Value | None, ...]
    own: Quant | None = None
    otherwise: tuple[tuple[Value | None, ...], str, Mapping[str, Any]] | None = None
    table: Callable[[NDArray[np.float64]], NDArray[np.float64]] | None = None


Rule = Callable[[Emitted, Sequence[Value | None]], Form]
"""From an op and its operands as int8 (`None` where there is none) to its form."""

RULES: dict[str, Rule] = {}


def check_kernel(name: str, codes: Sequence[Value], result: np.dtype[Any]) -> None:
    """Holds an op to the dtypes that LiteRT has a kernel for.

    Args:
        name: The op.
        codes: Its operands that are integers at run time.
        result: The dtype of its result.

    Raises:
        StaysFloat: If operands and result differ, or there is no kernel.
    """
    if any(code.dtype != result for code in codes):
        raise StaysFloat("its operands and its result have different dtypes")
    without = {INT16: WITHOUT_INT16, UINT8: WITHOUT_UINT8}.get(result, frozenset())
    if name in without:
        raise StaysFloat(f"LiteRT has no kernel for {result.name}")


def _rule(*names: str) -> Callable[[Rule], Rule]:
    def register(rule: Rule) -> Rule:
        RULES.update(dict.fromkeys(names, rule))
        return rule

    return register


@_rule("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
def weighted(op: Emitted, codes: Sequence[Value | None]) -> Form:
    """Constant int8 weights without zero point; a bias of int32 in units of both scales.

    Beside int16 activations the bias is int64; beside uint8 weights are uint8 and may have a zero point.
    """
    x, w = codes[0], op.inputs[1]
    if x is None:
        raise StaysFloat("its input is not quantised")
    channel = 3 if op.op == "DEPTHWISE_CONV_2D" else 0
    weights = _weights(w, channel, x)
    return Form((x, weights, bias(op.inputs[2], x, weights)))


@_rule("TRANSPOSE_CONV")
def transposed(op: Emitted, codes: Sequence[Value | None]) -> Form:
    """As a convolution; the operands are the size, the weights, the input and the bias."""
    x = codes[2]
    if x is None:
        raise StaysFloat("its input is not quantised")
    weights = _weights(op.inputs[1], 0, x)
    addend = op.inputs[3] if len(op.inputs) > 3 else None
    tail = () if addend is None else (bias(addend, x, weights),)
    return Form((op.inputs[0], weights, x, *tail))


def _weights(w: Value | None, channel: int, x: Value) -> Value:
    whole = None if w is None else steps(w)
    if w is None or whole is None or w.quant is None:
        raise StaysFloat("its weights are not quantised")
    if w.quant.axis not in (None, channel):
        raise StaysFloat("its weights are quantised along another axis than their outputs")
    if x.dtype == UINT8:
        if w.quant.axis is not None:
            raise StaysFloat("kernels for uint8 take weights with one scale in all")
        return _on_grid(w, whole, UINT8, "weights")
    if np.abs(whole + 0.5).max(initial=0) > 127.5:
        raise StaysFloat("its weights have a zero point that int8 weights without one cannot take in")
    zeros = (0,) * len(w.quant.scale)
    return Value(INT8, w.shape, whole.astype(np.int8), replace(w.quant, zero_point=zeros))


def _on_grid(value: Value, whole: NDArray[np.float64], dtype: np.dtype[Any], what: str) -> Value:
    """Gives a constant with one scale codes of a dtype, its zero point moved where that lets it fit."""
    assert value.quant is not None
    limits = np.iinfo(dtype)
    for zero in (value.quant.zero_point[0], value.quant.zero_point[0] - 128, value.quant.zero_point[0] + 128):
        codes = whole + zero
        fits = limits.min <= min(codes.min(initial=0), zero) and max(codes.max(initial=0), zero) <= limits.max
        if fits and (dtype != INT16 or zero == 0):
            return Value(dtype, value.shape, codes.astype(dtype), replace(value.quant, zero_point=(zero,)))
    raise StaysFloat(f"{what} do not fit into {dtype.name}")


def takes_uint8(graph: Subgraph) -> bool:
    """Tells whether activations are uint8 and weights have zero points that only uint8 can take in."""
    marked = [op.outputs[0].dtype for op in graph.ops if op.op == "QUANTIZE" and "quant" in op.attrs]
    if any(dtype != UINT8 for dtype in marked):
        return False
    weights = [op.inputs[1] for op in graph.ops if op.op in _WEIGHTED and len(op.inputs) > 1]
    return any(_is_asymmetric(w) for w in weights if w is not None)


def _is_asymmetric(w: Value) -> bool:
    whole = steps(w)
    if whole is None or w.quant is None or w.quant.axis is not None:
        return False
    codes = whole + w.quant.zero_point[0]
    fits = codes.min(initial=0) >= 0 and codes.max(initial=0) <= 255
    return bool(fits and np.abs(whole + 0.5).max(initial=0) > 127.5)


def bias(value: Value | None, x: Value, w: Value) -> Value | None:
    """Returns a bias in the units of the sum of products.

    Raises:
        StaysFloat: If it does not fit into int32, or is computed at run time.
    """
    if value is None:
        return None
    assert x.quant is not None
    assert w.quant is not None
    if value.data is None:
        raise StaysFloat("its bias is computed at run time")
    scale = np.asarray(x.quant.scale[0], np.float64) * np.asarray(w.quant.scale, np.float64)
    whole = _own_steps(value, scale)
    if whole is None:
        whole = np.rint(value.data.astype(np.float64) / scale)
    dtype = INT64 if x.dtype == INT16 else INT32
    if np.abs(whole).max(initial=0) > np.iinfo(np.int32).max:
        raise StaysFloat("its bias does not fit into int32 in units of its scales")
    axis = None if scale.size == 1 else 0
    quant = Quant(tuple(map(float, scale)), (0,) * scale.size, axis)
    return Value(dtype, value.shape, whole.astype(dtype), quant)


def _own_steps(value: Value, scale: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """Returns the integers that a bias was dequantised from, if they are in the same units."""
    if value.codes is None or value.quant is None:
        return None
    own = np.asarray(value.quant.scale, np.float64)
    same = own.size in (1, scale.size) and np.allclose(own, scale, rtol=1e-6, atol=0)
    return value.codes.astype(np.float64) if same else None


@_rule("ADD", "SUB", "MUL", "PRELU")
def elementwise(op: Emitted, codes: Sequence[Value | None]) -> Form:
    """Each operand and the result have scales of their own; constants lie on a grid for the whole tensor."""
    dtype = next(code.dtype for code in codes if code is not None)
    return Form(tuple(_operand(v, code, dtype) for v, code in zip(op.inputs, codes, strict=True)))


@_rule("BATCH_MATMUL")
def product(op: Emitted, codes: Sequence[Value | None]) -> Form:
    """Both operands with scales of their own."""
    if any(code is not None and code.dtype == UINT8 for code in codes):
        raise StaysFloat("it has no kernel for uint8")
    return elementwise(op, codes)


def _operand(value: Value | None, code: Value | None, dtype: np.dtype[Any]) -> Value:
    if code is not None:
        return code
    whole = None if value is None else steps(value)
    if value is None or whole is None or value.quant is None or value.quant.axis is not None:
        raise StaysFloat("an operand is not quantised")
    return _on_grid(value, whole, dtype, "the elements of a constant operand")


@_rule("HARD_SWISH")
def hard_swish(op: Emitted, codes: Sequence[Value | None]) -> Form:
    """Any scale in, any scale out; the kernel is off by one step now and then, a table is not."""
    x = _data(codes)
    return Form((x,), table=_table(x, lambda x: x * np.clip(x + 3, 0, 6) / 6))


@_rule("MEAN", "LEAKY_RELU")
def unary(op: Emitted, codes: Sequence[Value | None]) -> Form:
    """Any scale in, any scale out."""
    return Form((_data(codes), *op.inputs[1:]))


@_rule("AVERAGE_POOL_2D")
def average(op: Emitted, codes: Sequence[Value | None]) -> Form:
    """The result has the scale of the operand; over the whole image MEAN gives it another."""
    x, attrs = _data(codes), op.attrs
    window = (attrs["filter_height"], attrs["filter_width"])
    whole = x.shape[1:3] == window and op.outputs[0].shape[1:3] == (1, 1) and attrs["padding"] == "VALID"
    if not whole or attrs["fused_activation_function"] != "NONE":
        return Form((x,), x.quant)
    axes = np.asarray([1, 2], np.int32)
    mean = ((x, Value(axes.dtype, axes.shape, axes)), "MEAN", {"keep_dims": True})
    return Form((x,), x.quant, otherwise=mean)


@_rule("RESIZE_BILINEAR")
def same_scale(op: Emitted, codes: Sequence[Value | None]) -> Form:
    """The result has the scale of the operand."""
    x = _data(codes)
    return Form((x, *op.inputs[1:]), x.quant)


_FEW = 24
"""Entries of a row of SOFTMAX up to which the kernel for int16 is off by at most a thousandth."""
_PROBABILITY = {
    INT8: Quant((1 / 256,), (-128,)),
    UINT8: Quant((1 / 256,), (0,)),
    INT16: Quant((1 / 32768,), (0,)),
}
_SIGNED = {INT8: Quant((1 / 128,), (0,)), UINT8: Quant((1 / 128,), (128,)), INT16: Quant((1 / 32768,), (0,))}
"""What kernels give results from 0 to 1 and from -1 to 1."""


@_rule("SOFTMAX")
def softmax(op: Emitted, codes: Sequence[Value | None]) -> Form:
    """The result has the scale 1/256 from zero on.

    The kernel for int16 takes entries that are more than 10 below their row's largest for 10 below: each then
    adds exp(-10) to the sum, which among many classes is much.
    """
    x = _data(codes)
    count = x.shape[-1]
    if x.dtype == INT16 and (count is None or count > _FEW):
        raise StaysFloat(f"the kernel for int16 is wrong by up to {count or 'n'} * exp(-10) of the result")
    return Form((x,), _PROBABILITY[x.dtype])


@_rule("LOGISTIC")
def logistic(op: Emitted, codes: Sequence[Value | None]) -> Form:
    """The result has the scale 1/256 from zero on; others are looked up."""
    x = _data(codes)
    return Form((x,), _PROBABILITY[x.dtype], table=_table(x, lambda x: 1 / (1 + np.exp(-x))))


@_rule("TANH")
def tanh(op: Emitted, codes: Sequence[Value | None]) -> Form:
    """The result has the scale 1/128 around zero; others are looked up."""
    x = _data(codes)
    return Form((x,), _SIGNED[x.dtype], table=_table(x, np.tanh))


@_rule("GELU")
def gelu(op: Emitted, codes: Sequence[Value | None]) -> Form:
    """Any scale in, any scale out: the kernel looks it up."""
    return Form((_data(codes),))


Function = Callable[[NDArray[np.float64]], NDArray[np.float64]]


def _table(x: Value, function: Function) -> Function | None:
    """A table has 256 entries: none for int16."""
    return function if x.dtype.itemsize == 1 else None


def _data(codes: Sequence[Value | None]) -> Value:
    if codes[0] is None:
        raise StaysFloat("its input is not quantised")
    return codes[0]
