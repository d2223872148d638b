"""Elementwise arithmetic with broadcasting: sums, differences, products, signs."""

from __future__ import annotations

import functools

import numpy as np

from edgekit.lowering.ledger import Value
from edgekit.lowering.op import Op
from edgekit.lowering.tflite import float64
from edgekit.lowering.tflite.builder import TFLiteBuilder
from edgekit.lowering.tflite.formula import Term
from edgekit.lowering.tflite.integers import modular
from edgekit.lowering.tflite.kernels import carried
from edgekit.lowering.tflite.table import lowers

_BUILTIN = {"Add": "ADD", "Sub": "SUB", "Mul": "MUL"}


@lowers("Add", "Sub", "Mul", since=14)
def arithmetic(b: TFLiteBuilder, n: Op) -> Value:
    """Add, Sub, Mul -> ADD, SUB, MUL; integers wrap as in ONNX."""
    operands = [n.operand(0), n.operand(1)]
    if operands[0].dtype == np.float64:
        return float64.arithmetic(b, _BUILTIN[n.type], *operands)
    return modular(b, operands, lambda x, y: b.binary(_BUILTIN[n.type], x, y))


@lowers("Sum", "Mean", since=13)
def variadic_sum(b: TFLiteBuilder, n: Op) -> Value:
    """Sum -> a chain of ADD; Mean -> the sum by the number of operands."""
    operands = [n.operand(i) for i in range(len(n.inputs))]

    def add(*values: Value) -> Value:
        total = functools.reduce(lambda x, y: b.binary("ADD", x, y), values)
        return (Term(b, total) / len(values)).value if n.type == "Mean" and len(values) > 1 else total

    return carried(b, operands, ("float32",), add)


@lowers("Neg", since=13)
def neg(b: TFLiteBuilder, n: Op) -> Value:
    """Neg -> NEG."""
    if n.operand(0).dtype == np.float64:
        return float64.negative(b, n.operand(0))
    return modular(b, [n.operand(0)], lambda x: b.unary("NEG", x))


@lowers("Abs", since=13)
def absolute(b: TFLiteBuilder, n: Op) -> Value:
    """Abs -> ABS; the larger of x and -x for int64, which ABS has no kernel for."""
    x = n.operand(0)
    if x.dtype.kind == "u":
        return x
    if x.dtype == np.float64:
        return float64.magnitude(b, x)
    if x.dtype == "int64":
        return b.binary("MAXIMUM", x, b.unary("NEG", x))
    return carried(b, [x], ("float32", "int32"), lambda v: b.unary("ABS", v))


@lowers("Sign", since=13)
def sign(b: TFLiteBuilder, n: Op) -> Value:
    """Sign -> SIGN, which keeps NaN; int64 -> its limits at -1 and 1; unsigned -> whether it is 0."""
    x = n.operand(0)
    if x.dtype.kind == "u":
        return modular(b, [x], lambda v: b.cast(b.cast(v, np.bool_), v.dtype))
    if x.dtype == "int64":
        return carried(b, [x], ("int64",), lambda v: Term(b, v).clip(-1, 1).value)
    return carried(b, [x], ("float32", "float64", "int32"), lambda v: b.unary("SIGN", v))


@lowers("Reciprocal", since=13)
def reciprocal(b: TFLiteBuilder, n: Op) -> Value:
    """Reciprocal -> DIV."""
    return carried(b, [n.operand(0)], ("float32",), lambda x: (1 / Term(b, x)).value)
