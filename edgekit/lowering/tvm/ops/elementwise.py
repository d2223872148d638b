"""Elementwise arithmetic, comparison, logic and rounding."""

from __future__ import annotations

import functools

import numpy as np

from edgekit.lowering.ledger import Value
from edgekit.lowering.op import Op
from edgekit.lowering.tvm.builder import TVMBuilder, computed
from edgekit.lowering.tvm.table import lowers

_UNARY = {
    "Abs": "abs",
    "Ceil": "ceil",
    "Cos": "cos",
    "Cosh": "cosh",
    "Acos": "acos",
    "Acosh": "acosh",
    "Asin": "asin",
    "Asinh": "asinh",
    "Atan": "atan",
    "Atanh": "atanh",
    "Erf": "erf",
    "Exp": "exp",
    "Floor": "floor",
    "Log": "log",
    "Neg": "negative",
    "Reciprocal": "reciprocal",
    "Round": "round",
    "Sign": "sign",
    "Sin": "sin",
    "Sinh": "sinh",
    "Sqrt": "sqrt",
    "Tan": "tan",
    "Tanh": "tanh",
}


@lowers(*_UNARY, since=6)
def unary(b: TVMBuilder, n: Op) -> Value:
    """An elementwise function of one operand."""
    return computed(b, [n.operand(0)], functools.partial(b.map, _UNARY[n.type]))


_BINARY = {"Add": "add", "Sub": "subtract", "Mul": "multiply", "Div": "divide", "PRelu": "prelu"}


@lowers(*_BINARY, since=14)
def binary(b: TVMBuilder, n: Op) -> Value:
    """An elementwise function of two operands."""
    return computed(b, [n.operand(0), n.operand(1)], functools.partial(b.map, _BINARY[n.type]))


_VARIADIC = {"Sum": "add", "Max": "maximum", "Min": "minimum"}


@lowers(*_VARIADIC, since=8)
def variadic(b: TVMBuilder, n: Op) -> Value:
    """A chain of one operation over all operands."""
    operands = [n.operand(i) for i in range(len(n.inputs))]
    chain = functools.partial(b.map, _VARIADIC[n.type])
    return computed(b, operands, lambda *values: functools.reduce(chain, values))


@lowers("Mean", since=8)
def mean(b: TVMBuilder, n: Op) -> Value:
    """The sum of all operands times the inverse of their number."""
    operands = [n.operand(i) for i in range(len(n.inputs))]

    def average(*values: Value) -> Value:
        total = functools.reduce(functools.partial(b.map, "add"), values)
        return b.map("divide", total, b.scalar(len(values), total))

    return computed(b, operands, average)


@lowers("Mod", since=10)
def mod(b: TVMBuilder, n: Op) -> Value:
    """The remainder; with `fmod` it has the sign of the dividend."""
    fmod = bool(n.attr("fmod", 0))
    return computed(b, [n.operand(0), n.operand(1)], functools.partial(b.map, "remainder", fmod=fmod))


@lowers("Pow", since=13)
def pow_(b: TVMBuilder, n: Op) -> Value:
    """X ** y; integer powers are computed in float64, exact to 2 ** 53, and truncated."""
    x, y = n.operand(0), n.operand(1)
    if y.data is not None and y.data.size == 1 and float(y.data.reshape(())) == 2 and y.rank <= x.rank:
        return computed(b, [x], lambda v: b.map("multiply", v, v))
    real = np.dtype(np.float64 if x.dtype.kind in "iu" or x.dtype == np.float64 else np.float32)
    return b.cast(b.map("power", b.cast(x, real), b.cast(y, real)), x.dtype)


@lowers("Clip", since=11)
def clip(b: TVMBuilder, n: Op) -> Value:
    """max(x, low), then min(x, high)."""

    def clipped(x: Value, *bounds: Value) -> Value:
        given = iter(bounds)
        for index, name in ((1, "maximum"), (2, "minimum")):
            if n.input(index) is not None:
                x = b.map(name, x, next(given))
        return x

    return computed(b, [n.operand(0), *(v for v in n.inputs[1:3] if v is not None)], clipped)


_COMPARISON = {
    "Equal": "equal",
    "Less": "less",
    "LessOrEqual": "less_equal",
    "Greater": "greater",
    "GreaterOrEqual": "greater_equal",
}


@lowers(*_COMPARISON, since=7)
def comparison(b: TVMBuilder, n: Op) -> Value:
    """Compares two operands of one dtype."""
    wide = [b.cast(v, np.float32) if v.dtype.name in ("float16", "bfloat16") else v for v in
            (n.operand(0), n.operand(1))]  # fmt: skip
    return b.map(_COMPARISON[n.type], *wide, dtype=np.bool_)


_LOGIC = {
    "And": "logical_and",
    "Or": "logical_or",
    "Xor": "logical_xor",
    "Not": "logical_not",
    "BitwiseAnd": "bitwise_and",
    "BitwiseOr": "bitwise_or",
    "BitwiseXor": "bitwise_xor",
    "BitwiseNot": "bitwise_not",
}


@lowers(*_LOGIC, since=1)
def logic(b: TVMBuilder, n: Op) -> Value:
    """Logic of booleans, or of the bits of integers."""
    return b.map(_LOGIC[n.type], *(n.operand(i) for i in range(len(n.inputs))))


@lowers("BitShift", since=11)
def bit_shift(b: TVMBuilder, n: Op) -> Value:
    """Shifts unsigned integers."""
    name = "shift_left" if n.attr("direction") == "LEFT" else "shift_right"
    return b.map(name, n.operand(0), n.operand(1))


@lowers("IsNaN", since=9)
def is_nan(b: TVMBuilder, n: Op) -> Value:
    """Tells where an operand is NaN."""
    return b.map("is_nan", _real(b, n.operand(0)), dtype=np.bool_)


@lowers("IsInf", since=10)
def is_inf(b: TVMBuilder, n: Op) -> Value:
    """Tells where an operand is infinite."""
    signs = {s: bool(n.attr(f"detect_{s}", 1)) for s in ("negative", "positive")}
    return b.map("is_inf", _real(b, n.operand(0)), dtype=np.bool_, **signs)


def _real(b: TVMBuilder, x: Value) -> Value:
    return b.cast(x, np.float32) if x.dtype.name in ("float16", "bfloat16") else x


@lowers("Where", since=9)
def where(b: TVMBuilder, n: Op) -> Value:
    """Takes from the second operand where the first is true, else from the third."""
    return b.map("where", n.operand(0), n.operand(1), n.operand(2))


@lowers("Identity", "Dropout", since=1)
def identity(b: TVMBuilder, n: Op) -> Value | tuple[Value | None, ...]:
    """The operand itself; Dropout drops nothing outside of training."""
    x = n.operand(0)
    if n.type == "Identity":
        return x
    training = n.input(2)
    if training is not None and (training.data is None or bool(training.data.reshape(()))):
        ratio = n.const(1)
        if ratio is None or float(ratio.reshape(())) != 0:
            n.refuse("`training_mode` draws at random")
    if not n.is_used(1):
        return x, None
    true = b.const(np.asarray(True))
    return x, b.op("fill", [_sizes(b, x), true], dtype=np.bool_, shape=x.shape)


def _sizes(b: TVMBuilder, x: Value) -> Value:
    if x.static_shape is not None:
        return b.ints(x.static_shape)
    return b.op("shape_of", [x], {"start": 0, "end": x.rank}, dtype=np.int64, shape=(x.rank,))
