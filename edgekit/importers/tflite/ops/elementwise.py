"""Ops on each element, with numpy's broadcasting."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from edgekit.importers.tflite.call import Call
from edgekit.importers.tflite.table import Untranslatable, translates

_UNARY = {
    "ABS": "Abs", "NEG": "Neg", "CEIL": "Ceil", "FLOOR": "Floor", "ROUND": "Round", "EXP": "Exp",
    "LOG": "Log", "SQRT": "Sqrt", "SIN": "Sin", "COS": "Cos", "TANH": "Tanh", "LOGISTIC": "Sigmoid",
    "RELU": "Relu", "HARD_SWISH": "HardSwish", "LOGICAL_NOT": "Not", "SIGN": "Sign", "ELU": "Elu",
}  # fmt: skip
_BINARY = {
    "ADD": "Add", "SUB": "Sub", "MUL": "Mul", "DIV": "Div", "POW": "Pow", "MAXIMUM": "Max", "MINIMUM": "Min",
    "EQUAL": "Equal", "LESS": "Less", "LESS_EQUAL": "LessOrEqual", "GREATER": "Greater",
    "GREATER_EQUAL": "GreaterOrEqual", "LOGICAL_AND": "And", "LOGICAL_OR": "Or",
}  # fmt: skip


@translates(*_UNARY)
def unary(call: Call) -> ir.Value:
    """Ops that ONNX has under another name."""
    return call.op(_UNARY[call.emitted.op], call.operand(0))


@translates(*_BINARY)
def binary(call: Call) -> ir.Value:
    """Ops of two operands that ONNX has under another name, and the activation that they carry."""
    return call.activated(call.op(_BINARY[call.emitted.op], call.operand(0), call.operand(1)))


@translates("NOT_EQUAL")
def not_equal(call: Call) -> ir.Value:
    """NOT_EQUAL -> Not of Equal."""
    return call.op("Not", call.op("Equal", call.operand(0), call.operand(1)))


@translates("RELU6", "RELU_N1_TO_1", "RELU_0_TO_1")
def limited(call: Call) -> ir.Value:
    """Limits -> Clip."""
    return call.activated(call.operand(0), call.emitted.op)


@translates("SQUARE")
def square(call: Call) -> ir.Value:
    """SQUARE -> Mul."""
    x = call.operand(0)
    return call.op("Mul", x, x)


@translates("RSQRT")
def rsqrt(call: Call) -> ir.Value:
    """RSQRT -> Reciprocal of Sqrt."""
    return call.op("Reciprocal", call.op("Sqrt", call.operand(0)))


@translates("SQUARED_DIFFERENCE")
def squared_difference(call: Call) -> ir.Value:
    """SQUARED_DIFFERENCE -> Sub, Mul."""
    difference = call.op("Sub", call.operand(0), call.operand(1))
    return call.op("Mul", difference, difference)


@translates("FLOOR_DIV")
def floor_div(call: Call) -> ir.Value:
    """FLOOR_DIV of floats -> Floor of Div; of integers through the remainder with the divisor's sign."""
    x, y = call.operand(0), call.operand(1)
    if call.tensor(0).dtype.kind == "f":
        return call.op("Floor", call.op("Div", x, y))
    return call.op("Div", call.op("Sub", x, call.op("Mod", x, y)), y)


@translates("FLOOR_MOD")
def floor_mod(call: Call) -> ir.Value:
    """FLOOR_MOD: integers -> Mod; floats -> x - floor(x / y) * y."""
    x, y = call.operand(0), call.operand(1)
    if call.tensor(0).dtype.kind != "f":
        return call.op("Mod", x, y)
    return call.op("Sub", x, call.op("Mul", call.op("Floor", call.op("Div", x, y)), y))


@translates("LEAKY_RELU")
def leaky_relu(call: Call) -> ir.Value:
    """LEAKY_RELU -> LeakyRelu."""
    return call.op("LeakyRelu", call.operand(0), alpha=float(call.attr("alpha", 0.0)))


@translates("PRELU")
def prelu(call: Call) -> ir.Value:
    """PRELU -> PRelu; both broadcast the slopes from the last axis."""
    return call.op("PRelu", call.operand(0), call.operand(1))


@translates("GELU")
def gelu(call: Call) -> ir.Value:
    """GELU -> Gelu, exact or with tanh."""
    kind = "tanh" if call.attr("approximate", False) else "none"
    return call.op("Gelu", call.operand(0), approximate=kind)


@translates("SOFTMAX")
def softmax(call: Call) -> ir.Value:
    """SOFTMAX -> Softmax over the last axis, scaled by beta before."""
    x, beta = call.operand(0), float(call.attr("beta", 1.0))
    if beta != 1.0:
        x = call.op("Mul", x, call.scalar(beta))
    return call.op("Softmax", x, axis=-1)


@translates("LOG_SOFTMAX")
def log_softmax(call: Call) -> ir.Value:
    """LOG_SOFTMAX -> LogSoftmax over the last axis."""
    return call.op("LogSoftmax", call.operand(0), axis=-1)


@translates("L2_NORMALIZATION")
def l2_normalization(call: Call) -> ir.Value:
    """L2_NORMALIZATION -> x / sqrt(max(sum of squares, 1e-6)) along the last axis."""
    x = call.operand(0)
    squares = call.op("ReduceSum", call.op("Mul", x, x), call.ints([-1]), keepdims=1)
    floor = call.op("Max", squares, call.number(1e-6))
    return call.activated(call.op("Div", x, call.op("Sqrt", floor)))


@translates("LOCAL_RESPONSE_NORMALIZATION")
def local_response_normalization(call: Call) -> ir.Value:
    """LOCAL_RESPONSE_NORMALIZATION -> LRN over a window of 2 * radius + 1 channels."""
    call.images(0)
    size = 2 * int(call.attr("radius", 0)) + 1
    alpha, beta, bias = (float(call.attr(n, 0.0)) for n in ("alpha", "beta", "bias"))
    y = call.op("LRN", call.to_first(call.operand(0)), size=size, alpha=alpha * size, beta=beta, bias=bias)
    return call.to_last(y)


@translates("ADD_N")
def add_n(call: Call) -> ir.Value:
    """ADD_N -> Sum."""
    return call.op("Sum", *call.operands())


@translates("SELECT", "SELECT_V2")
def select(call: Call) -> ir.Value:
    """SELECT and SELECT_V2 -> Where; the condition of SELECT may choose whole rows."""
    condition = call.operand(0)
    missing = call.rank(1) - call.rank(0)
    if call.emitted.op == "SELECT" and call.rank(0) == 1 and missing > 0:
        condition = call.op("Unsqueeze", condition, call.ints(range(1, missing + 1)))
    return call.op("Where", condition, call.operand(1), call.operand(2))


@translates("QUANTIZE")
def quantize(call: Call) -> ir.Value:
    """QUANTIZE: the reals, which the result rounds anew."""
    if call.result().quant is None:
        raise Untranslatable("its result has no scale")
    return call.operand(0)


@translates("DEQUANTIZE")
def dequantize(call: Call) -> ir.Value:
    """DEQUANTIZE: the reals; of float16 -> Cast."""
    x, dtype = call.operand(0), call.tensor(0).dtype
    if dtype.kind == "f" and dtype != np.float32:
        return call.cast(x, np.float32)
    if dtype.kind != "f" and call.tensor(0).quant is None:
        raise Untranslatable("its operand has no scale")
    return x


@translates("CAST", on_codes=True)
def cast(call: Call) -> ir.Value:
    """CAST -> Cast of what is stored; floats become integers by cutting off."""
    return call.cast(call.operand(0), call.result().dtype)


@translates("BITWISE_XOR", on_codes=True)
def bitwise_xor(call: Call) -> ir.Value:
    """BITWISE_XOR -> BitwiseXor."""
    return call.op("BitwiseXor", call.operand(0), call.operand(1))


@translates("ZEROS_LIKE", on_codes=True)
def zeros_like(call: Call) -> ir.Value:
    """ZEROS_LIKE -> Expand of zero."""
    return call.op("Expand", call.scalar(0), call.op("Shape", call.operand(0)))
