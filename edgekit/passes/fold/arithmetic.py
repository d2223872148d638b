"""Kernels of elementwise arithmetic."""

from __future__ import annotations

import functools
import math

import ml_dtypes
import numpy as np

from edgekit.passes.fold.table import PLAIN, Array, Call, Decline, folds, refuse_nan, require_plain

_UNARY = {
    "Abs": np.abs,
    "Neg": np.negative,
    "Exp": np.exp,
    "Log": np.log,
    "Sqrt": np.sqrt,
    "Floor": np.floor,
    "Ceil": np.ceil,
    "Round": np.rint,
    "Sign": np.sign,
    "Sin": np.sin,
    "Cos": np.cos,
    "Tan": np.tan,
    "Tanh": np.tanh,
    "Reciprocal": np.reciprocal,
}


@folds(*_UNARY)
def unary(call: Call) -> Array:
    """Evaluates in the dtype of the input."""
    require_plain(call[0])
    if call[0].dtype.kind != "f" and call.node.op_type not in ("Abs", "Neg", "Sign"):
        raise Decline("defined for floats only")
    return _UNARY[call.node.op_type](call[0]).astype(call[0].dtype, copy=False)


@folds("Sigmoid", "Relu", "Erf")
def activation(call: Call) -> Array:
    """Evaluates in float64 and rounds once."""
    require_plain(call[0])
    refuse_nan(call[0])
    x = call[0].astype(np.float64)
    if call.node.op_type == "Relu":
        return np.maximum(call[0], np.zeros((), call[0].dtype))
    if call.node.op_type == "Sigmoid":
        return (1 / (1 + np.exp(-x))).astype(call[0].dtype)
    return np.asarray(np.frompyfunc(math.erf, 1, 1)(x), call[0].dtype)


@folds("Add", "Sub", "Mul")
def ring(call: Call) -> Array:
    """Wraps around on integer overflow, as runtimes do."""
    require_plain(*call.inputs)
    function = {"Add": np.add, "Sub": np.subtract, "Mul": np.multiply}[call.node.op_type]
    return function(call[0], call[1])


@folds("Div")
def div(call: Call) -> Array:
    """Integer division truncates towards zero."""
    require_plain(*call.inputs)
    a, b = call[0], call[1]
    if a.dtype.kind == "f":
        return np.divide(a, b)
    _refuse_bad_divisor(a, b)
    quotient = np.floor_divide(a, b)
    return np.where((a % b != 0) & ((a < 0) != (b < 0)), quotient + 1, quotient).astype(a.dtype)


@folds("Mod")
def mod(call: Call) -> Array:
    """The sign follows the divisor, with `fmod` the dividend."""
    require_plain(*call.inputs)
    a, b = call[0], call[1]
    if a.dtype.kind != "f":
        _refuse_bad_divisor(a, b)
    return (np.fmod if call.attr("fmod", 0) else np.mod)(a, b)


def _refuse_bad_divisor(a: Array, b: Array) -> None:
    if np.any(b == 0):
        raise Decline("division by zero")
    if a.dtype.kind == "i" and np.any(b == -1) and np.any(a == np.iinfo(a.dtype).min):
        raise Decline("overflow in division")


@folds("Pow")
def power(call: Call) -> Array:
    """The result has the dtype of the base."""
    require_plain(*call.inputs)
    base, exponent = call[0], call[1]
    if base.dtype.kind != "f" and (exponent.dtype.kind == "f" or np.any(exponent < 0)):
        raise Decline("integer base with a fractional or negative exponent")
    common = np.result_type(base, exponent) if base.dtype.kind == "f" else base.dtype
    return np.asarray(np.power(base.astype(common), exponent.astype(common)), base.dtype)


@folds("Max", "Min", "Sum")
def variadic(call: Call) -> Array:
    """Broadcasts over all inputs."""
    require_plain(*call.inputs)
    function = {"Max": np.maximum, "Min": np.minimum, "Sum": np.add}[call.node.op_type]
    arrays = [call[i] for i in range(len(call.inputs))]
    if call.node.op_type != "Sum":
        refuse_nan(*arrays)
    return functools.reduce(function, arrays)


@folds("Clip")
def clip(call: Call) -> Array:
    """`min(max(x, low), high)`; missing bounds are those of the dtype."""
    require_plain(*call.inputs)
    refuse_nan(*call.inputs)
    x = call[0]
    info = np.finfo(x.dtype) if x.dtype.kind == "f" else np.iinfo(x.dtype)
    low, high = call.get(1), call.get(2)
    lower = np.asarray(info.min if low is None else low.reshape(()), x.dtype)
    upper = np.asarray(info.max if high is None else high.reshape(()), x.dtype)
    return np.asarray(np.minimum(np.maximum(x, lower), upper))


@folds("Cast")
def cast(call: Call) -> Array:
    """Declines what is undefined (out of range to integer) and dtypes of 8 bits and fewer."""
    import onnx_ir as ir

    return _cast(call[0], np.dtype(ir.DataType(call.attr("to")).numpy()))


@folds("CastLike")
def cast_like(call: Call) -> Array:
    """Cast to the dtype of the second input."""
    return _cast(call[0], call[1].dtype)


def _cast(x: Array, target: np.dtype) -> Array:
    wide = (np.dtype(ml_dtypes.bfloat16),)
    for dtype in (x.dtype, target):
        if dtype.char not in PLAIN and dtype not in wide:
            raise Decline("narrow dtype")
    if x.dtype.kind not in "biu" and target.kind in "iu":
        values, info = x.astype(np.float64), np.iinfo(target)
        # float64(int64 max) rounds up to 2**63, which is itself out of range.
        if not np.all((values > float(info.min) - 1) & (values < float(info.max) + (target.itemsize < 8))):
            raise Decline("out of range")
    return x.astype(target)
