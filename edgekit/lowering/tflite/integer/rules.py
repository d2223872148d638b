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
INT32 = np.dtype(np.int32)
_WEIGHTED = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV")


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


def _rule(*names: str) -> Callable[[Rule], Rule]:
    def register(rule: Rule) -> Rule:
        RULES.update(dict.fromkeys(names, rule))
        return rule

    return register


@_rule("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
def weighted(op: Emitted, codes: Sequence[Value | None]) -> Form:
    """Constant int8 weights without zero point; a bias of int32 in units of both scales."""
    x, w = codes[0], op.inputs[1]
    if x is None:
        raise StaysFloat("its input is not quantised")
    channel = 3 if op.op == "DEPTHWISE_CONV_2D" else 0
    weights = _weights(w, channel, x.dtype)
    return Form((x, weights, bias(op.inputs[2], x, weights)))


@_rule("TRANSPOSE_CONV")
def transposed(op: Emitted, codes: Sequence[Value | None]) -> Form:
    """As a convolution; the operands are the size, the weights, the input and the bias."""
    x = codes[2]
    if x is None:
        raise StaysFloat("its input is not quantised")
    weights = _weights(op.inputs[1], 0, x.dtype)
    addend = op.inputs[3] if len(op.inputs) > 3 else None
    tail = () if addend is None else (bias(addend, x, weights),)
    return Form((op.inputs[0], weights, x, *tail))


def _weights(w: Value | None, channel: int, dtype: np.dtype[Any]) -> Value:
    whole = None if w is None else steps(w)
    if w is None or whole is None or w.quant is None:
        raise StaysFloat("its weights are not quantised")
    if w.quant.axis not in (None, channel):
        raise StaysFloat("its weights are quantised along another axis than their outputs")
    if dtype == UINT8:
        return _unsigned(w, whole)
    if np.abs(whole + 0.5).max(initial=0) > 127.5:
        raise StaysFloat("its weights have a zero point that int8 weights without one cannot take in")
    zeros = (0,) * len(w.quant.scale)
    return Value(INT8, w.shape, whole.astype(np.int8), replace(w.quant, zero_point=zeros))


def _unsigned(w: Value, whole: NDArray[np.float64]) -> Value:
    """Returns weights as uint8, whose kernels have one scale and one zero point for all of them."""
    assert w.quant is not None
    codes = whole + w.quant.zero_point[0]
    if w.quant.axis is not None or codes.min(initial=0) < 0 or codes.max(initial=0) > 255:
        raise StaysFloat("its weights are not uint8 with one scale, as those of other ops are")
    return Value(UINT8, w.shape, codes.astype(np.uint8), w.quant)


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
    if np.abs(whole).max(initial=0) > np.iinfo(np.int32).max:
        raise StaysFloat("its bias does not fit into int32 in units of its scales")
    axis = None if scale.size == 1 else 0
    quant = Quant(tuple(map(float, scale)), (0,) * scale.size, axis)
    return Value(INT32, value.shape, whole.astype(np.int32), quant)


def _own_steps(value: Value, scale: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """Returns the integers that a bias was dequantised from, if they are in the same units."""
    if value.codes is None or value.quant is None:
        return None
    own = np.asarray(value.quant.scale, np.float64)
    same = own.size in (1, scale.size) and np.allclose(own, scale, rtol=1e-6, atol=0)
    return value.codes.astype(np.float64) if same else None


@_rule("ADD", "SUB", "MUL")
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
    info = np.iinfo(dtype)
    zero = value.quant.zero_point[0]
    for shift in (0, -128, 128):  # codes of uint8 become int8, and the other way round
        moved = whole + zero + shift
        if moved.min(initial=info.max) >= info.min and moved.max(initial=info.min) <= info.max:
            quant = replace(value.quant, zero_point=(zero + shift,))
            return Value(dtype, value.shape, moved.astype(dtype), quant)
    raise StaysFloat(f"a constant operand does not fit into {dtype.name}")


@_rule("HARD_SWISH")
def hard_swish(op: Emitted, codes: Sequence[Value | None]) -> Form:
    """Any scale in, any scale out; the kernel is off by one step now and then, a table is not."""
    return Form((_data(codes),), table=lambda x: x * np.clip(x + 3, 0, 6) / 6)


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


def _probability(x: Value) -> Quant:
    """From the lowest code on in steps of 1/256."""
    return Quant((1 / 256,), (int(np.iinfo(x.dtype).min),))


@_rule("SOFTMAX")
def softmax(op: Emitted, codes: Sequence[Value | None]) -> Form:
    """The result has the scale 1/256 from zero on."""
    x = _data(codes)
    return Form((x,), _probability(x))


@_rule("LOGISTIC")
def logistic(op: Emitted, codes: Sequence[Value | None]) -> Form:
    """The result has the scale 1/256 from zero on; others are looked up."""
    x = _data(codes)
    return Form((x,), _probability(x), table=lambda x: 1 / (1 + np.exp(-x)))


@_rule("TANH")
def tanh(op: Emitted, codes: Sequence[Value | None]) -> Form:
    """The result has the scale 1/128 around zero; others are looked up."""
    x = _data(codes)
    return Form((x,), Quant((1 / 128,), (128 if x.dtype == UINT8 else 0,)), table=np.tanh)


def _data(codes: Sequence[Value | None]) -> Value:
    if codes[0] is None:
        raise StaysFloat("its input is not quantised")
    return codes[0]
