"""Elementwise kernels: each is a function of scalars, applied with broadcasting."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from edgekit.lowering.tvm.adapter import Expr, Tensor, dtype_of, tir
from edgekit.lowering.tvm.kernels.common import (
    broadcast,
    compute,
    const,
    element,
    is_nan,
    larger,
    smaller,
)
from edgekit.lowering.tvm.kernels.table import kernel


def scalar(*names: str) -> Callable[[Callable[..., Expr]], Callable[..., Expr]]:
    """Registers a function of scalars as an elementwise kernel."""

    def register(function: Callable[..., Expr]) -> Callable[..., Expr]:
        takes_attrs = any(p.kind is p.KEYWORD_ONLY for p in inspect.signature(function).parameters.values())
        for name in names:
            kernel(name)(_mapped(name, function, takes_attrs))
        return function

    return register


def _mapped(name: str, function: Callable[..., Expr], takes_attrs: bool) -> Callable[..., Tensor]:
    def make(*operands: Tensor, **attrs: Any) -> Tensor:
        shape = broadcast(*(x.shape for x in operands))
        given = attrs if takes_attrs else {}
        return compute(shape, lambda *i: function(*(element(x, i, shape) for x in operands), **given), name)

    return make


def _libm(name: str) -> Callable[[Expr], Expr]:
    """Calls the C library, where TVM's own expansion loses digits."""

    def call(x: Expr) -> Expr:
        symbol = name if dtype_of(x) == "float64" else name + "f"
        return tir.call_pure_extern(dtype_of(x), symbol, x)

    return call


_LIBM = ("tanh", "sinh", "cosh", "tan", "asin", "acos", "atan", "asinh", "acosh", "atanh", "erf")
for _name in _LIBM:
    scalar(_name)(_libm(_name))

tanh, erf = _libm("tanh"), _libm("erf")

scalar("exp")(lambda x: tir.exp(x))
scalar("log")(lambda x: tir.log(x))
scalar("sqrt")(lambda x: tir.sqrt(x))
scalar("sin")(lambda x: tir.sin(x))
scalar("cos")(lambda x: tir.cos(x))
scalar("floor")(lambda x: tir.floor(x))
scalar("ceil")(lambda x: tir.ceil(x))
scalar("round")(lambda x: tir.nearbyint(x))
scalar("negative")(lambda x: const(0, dtype_of(x)) - x if dtype_of(x)[0] in "iu" else -x)
scalar("reciprocal")(lambda x: const(1, dtype_of(x)) / x)
scalar("is_nan")(lambda x: is_nan(x))
scalar("add")(lambda x, y: x + y)
scalar("subtract")(lambda x, y: x - y)
scalar("multiply")(lambda x, y: x * y)
scalar("maximum")(larger)
scalar("minimum")(smaller)
scalar("less")(lambda x, y: x < y)
scalar("less_equal")(lambda x, y: x <= y)
scalar("greater")(lambda x, y: x > y)
scalar("greater_equal")(lambda x, y: x >= y)
scalar("logical_and")(lambda x, y: tir.all(x, y))
scalar("logical_or")(lambda x, y: tir.any(x, y))
scalar("logical_not")(lambda x: tir.Not(x))
scalar("bitwise_and")(lambda x, y: x & y)
scalar("bitwise_or")(lambda x, y: x | y)
scalar("bitwise_xor")(lambda x, y: x ^ y)
scalar("bitwise_not")(lambda x: ~x)
scalar("where")(lambda c, x, y: tir.Select(c, x, y))


@scalar("abs")
def absolute(x: Expr) -> Expr:
    """Clears the sign; the lowest integer stays itself."""
    if dtype_of(x).startswith("uint"):
        return x
    return tir.abs(x) if dtype_of(x).startswith("float") else tir.Select(x < 0, const(0, dtype_of(x)) - x, x)


@scalar("sign")
def sign(x: Expr) -> Expr:
    """-1, 0 or 1; NaN stays NaN."""
    one, zero = const(1, dtype_of(x)), const(0, dtype_of(x))
    if dtype_of(x).startswith("uint"):
        return tir.Select(x > zero, one, zero)
    return tir.Select(x > zero, one, tir.Select(x < zero, const(-1, dtype_of(x)), x))


@scalar("divide")
def divide(x: Expr, y: Expr) -> Expr:
    """Divides; integers truncate, and division by 0, which ONNX leaves open, gives 0 instead of a trap."""
    if dtype_of(x).startswith("float"):
        return x / y
    nought = y == const(0, dtype_of(x))
    quotient = tir.truncdiv(x, tir.Select(nought, const(1, dtype_of(x)), y))
    if dtype_of(x).startswith("int"):  # the lowest integer divided by -1 traps on x86; it wraps to itself
        negated = y == const(-1, dtype_of(x))
        safe = tir.truncdiv(x, tir.Select(tir.any(nought, negated), const(1, dtype_of(x)), y))
        quotient = tir.Select(negated, const(0, dtype_of(x)) - x, safe)
    return tir.Select(nought, const(0, dtype_of(x)), quotient)


@scalar("remainder")
def remainder(x: Expr, y: Expr, *, fmod: bool) -> Expr:
    """The remainder with the sign of the divisor, or of the dividend as C's `fmod`."""
    kind = dtype_of(x)
    zero = const(0, kind)
    if kind.startswith("float"):
        rest = tir.call_pure_extern(kind, "fmod" if kind == "float64" else "fmodf", x, y)
    else:  # division by 0 and, of the lowest integer, by -1 would trap
        bad = y == zero if kind.startswith("uint") else tir.any(y == zero, y == const(-1, kind))
        rest = tir.Select(bad, zero, tir.truncmod(x, tir.Select(bad, const(1, kind), y)))
    if fmod or kind.startswith("uint"):
        return rest
    crosses = tir.all(rest != zero, logical_xor(rest < zero, y < zero))
    return tir.Select(crosses, rest + y, rest)


@scalar("power")
def power(x: Expr, y: Expr) -> Expr:
    """X ** y of floats."""
    return tir.pow(x, y)


@scalar("equal")
def equal(x: Expr, y: Expr) -> Expr:
    """Compares; booleans as integers, which LLVM compares as floats otherwise."""
    if dtype_of(x) == "bool":
        return x.astype("uint8") == y.astype("uint8")
    return x == y


@scalar("logical_xor")
def logical_xor(x: Expr, y: Expr) -> Expr:
    """Exclusive or of booleans."""
    return x.astype("uint8") != y.astype("uint8")


@scalar("shift_left")
def shift_left(x: Expr, y: Expr) -> Expr:
    """Shifts integers; by their width and more, or by a negative number, gives 0."""
    fits, places = _shift(x, y)
    return tir.Select(fits, x << places, const(0, dtype_of(x)))


@scalar("shift_right")
def shift_right(x: Expr, y: Expr) -> Expr:
    """Shifts integers, signed ones with their sign; by their width and more leaves only that."""
    fits, places = _shift(x, y)
    zero = const(0, dtype_of(x))
    rest = tir.Select(x < zero, const(-1, dtype_of(x)), zero) if dtype_of(x)[0] == "i" else zero
    return tir.Select(fits, x >> places, rest)


def _shift(x: Expr, y: Expr) -> tuple[Expr, Expr]:
    """Tells whether a shift is within the width, and gives one that always is."""
    kind = dtype_of(x)
    bits = const(int(kind.removeprefix("u").removeprefix("int")), kind)
    fits = tir.all(y < bits, y >= const(0, kind))
    return fits, tir.Select(fits, y, const(0, kind))


@scalar("is_inf")
def is_inf(x: Expr, *, negative: bool, positive: bool) -> Expr:
    """Tells whether a number is infinite, with one of the signs asked for."""
    found = tir.const(False, "bool")
    if positive:
        found = tir.any(found, x == const(float("inf"), dtype_of(x)))
    if negative:
        found = tir.any(found, x == const(float("-inf"), dtype_of(x)))
    return found


@scalar("cast")
def cast(x: Expr, *, dtype: str) -> Expr:
    """Converts as C does; to booleans by comparison with 0; floats out of range keep their low bits."""
    if dtype == "bool":
        return x != const(0, dtype_of(x))
    if dtype_of(x) == "bool":
        return tir.Select(x, const(1, dtype), const(0, dtype))
    if dtype_of(x).startswith("float") and dtype in ("int8", "uint8", "int16", "uint16"):
        return x.astype("int32").astype(dtype)
    if dtype_of(x).startswith("float") and dtype == "uint32":
        return x.astype("int64").astype(dtype)
    if dtype_of(x).startswith("float") and dtype == "uint64":
        half = const(float(2**63), dtype_of(x))
        high = (x - half).astype("int64").astype("uint64") + (const(1, "uint64") << const(63, "uint64"))
        return tir.Select(x >= half, high, x.astype("int64").astype("uint64"))
    return x.astype(dtype)


@scalar("reinterpret")
def reinterpret(x: Expr, *, dtype: str) -> Expr:
    """Reads the bits as another dtype of the same width."""
    return tir.reinterpret(dtype, x) if dtype_of(x) != dtype else x


@scalar("bfloat16_to_float32")
def bfloat16_to_float32(x: Expr) -> Expr:
    """bfloat16 is the upper half of float32."""
    return tir.reinterpret("float32", x.astype("uint32") << const(16, "uint32"))


@scalar("float32_to_bfloat16")
def float32_to_bfloat16(x: Expr) -> Expr:
    """Rounds to nearest, ties to even; NaN stays NaN."""
    bits = tir.reinterpret("uint32", x)
    sixteen = const(16, "uint32")
    odd = (bits >> sixteen) & const(1, "uint32")
    rounded = (bits + const(0x7FFF, "uint32") + odd) >> sixteen
    return tir.Select(tir.isnan(x), const(0x7FC0, "uint32"), rounded).astype("uint16")
