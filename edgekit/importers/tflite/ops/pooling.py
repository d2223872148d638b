"""Windows and whole axes reduced to one element."""

from __future__ import annotations

import onnx_ir as ir

from edgekit.importers.tflite.call import Call
from edgekit.importers.tflite.table import translates
from edgekit.importers.tflite.windows import positive, window

_REDUCTIONS = {
    "MEAN": "ReduceMean", "SUM": "ReduceSum", "REDUCE_MAX": "ReduceMax", "REDUCE_MIN": "ReduceMin",
    "REDUCE_PROD": "ReduceProd",
}  # fmt: skip
_LOGICAL = {"REDUCE_ANY": "ReduceMax", "REDUCE_ALL": "ReduceMin"}


@translates("AVERAGE_POOL_2D")
def average_pool_2d(call: Call) -> ir.Value:
    """AVERAGE_POOL_2D -> AveragePool that counts only what lies in the image."""
    return call.to_last(call.activated(_pooled(call, "AveragePool", count_include_pad=0)))


@translates("MAX_POOL_2D")
def max_pool_2d(call: Call) -> ir.Value:
    """MAX_POOL_2D -> MaxPool."""
    return call.to_last(call.activated(_pooled(call, "MaxPool")))


@translates("L2_POOL_2D")
def l2_pool_2d(call: Call) -> ir.Value:
    """L2_POOL_2D -> the root of the mean of squares."""
    call.images(0)
    x = call.to_first(call.operand(0))
    kernel, attrs = _window(call)
    squares = call.op("Mul", x, x)
    mean = call.op("AveragePool", squares, kernel_shape=list(kernel), count_include_pad=0, **attrs)
    return call.to_last(call.activated(call.op("Sqrt", mean)))


def _pooled(call: Call, kind: str, **more: int) -> ir.Value:
    call.images(0)
    kernel, attrs = _window(call)
    return call.op(kind, call.to_first(call.operand(0)), kernel_shape=list(kernel), **attrs, **more)


def _window(call: Call) -> tuple[tuple[int, int], dict[str, object]]:
    height, width = positive(call.attr("filter_height", 0), call.attr("filter_width", 0))
    return (height, width), window(call, (height, width), dilated=False)


@translates(*_REDUCTIONS)
def reduction(call: Call) -> ir.Value:
    """Reductions -> ONNX's, over constant axes."""
    axes = [call.axis(a) for a in call.numbers(1, "axes")]
    if not axes:
        return call.operand(0)
    keep = int(bool(call.attr("keep_dims", False)))
    return call.op(_REDUCTIONS[call.emitted.op], call.operand(0), call.ints(axes), keepdims=keep)


@translates(*_LOGICAL)
def logical_reduction(call: Call) -> ir.Value:
    """REDUCE_ANY and REDUCE_ALL -> the largest or smallest, which ONNX has for truth values."""
    axes = [call.axis(a) for a in call.numbers(1, "axes")]
    keep = int(bool(call.attr("keep_dims", False)))
    return call.op(_LOGICAL[call.emitted.op], call.operand(0), call.ints(axes), keepdims=keep)


@translates("ARG_MAX", "ARG_MIN")
def arg_extreme(call: Call) -> ir.Value:
    """ARG_MAX and ARG_MIN -> ArgMax and ArgMin of the first of equal elements."""
    (axis,) = call.numbers(1, "axis")
    kind = "ArgMax" if call.emitted.op == "ARG_MAX" else "ArgMin"
    index = call.op(kind, call.operand(0), axis=call.axis(axis), keepdims=0)
    return index if call.result().dtype.name == "int64" else call.cast(index, call.result().dtype)


@translates("CUMSUM")
def cumsum(call: Call) -> ir.Value:
    """CUMSUM -> CumSum."""
    flags = {name: int(bool(call.attr(name, False))) for name in ("exclusive", "reverse")}
    return call.op("CumSum", call.operand(0), call.int64(1), **flags)


@translates("TOPK_V2")
def topk(call: Call) -> list[ir.Value]:
    """TOPK_V2 -> TopK along the last axis."""
    count = call.op("Reshape", call.int64(1), call.ints([1]))
    values, indices = call.ops("TopK", call.operand(0), count, outputs=2, axis=-1)
    return [values, call.cast(indices, call.result(1).dtype)]
