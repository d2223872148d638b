"""Softmax and its kin along any axis."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from edgekit.lowering.ledger import Value
from edgekit.lowering.op import Op
from edgekit.lowering.tflite.builder import TFLiteBuilder
from edgekit.lowering.tflite.kernels import carried
from edgekit.lowering.tflite.table import lowers


@lowers("Softmax", since=13)
def softmax(b: TFLiteBuilder, n: Op) -> Value:
    """Softmax -> SOFTMAX along the last axis; float16 follows the function body of the op."""
    if n.operand(0).dtype.name == "float16":
        # ONNX defines the op by its body, which rounds exp and sum to 16 bits; the kernel rounds once.
        n.refuse("the kernel computes in float32 where ONNX rounds each step to float16")
    if n.operand(0).dtype.name == "bfloat16":
        n.approximate(
            "a sum in bfloat16 depends on the order of its terms, by 1 unit in the last place", final=True
        )
    return _along(b, n, lambda x: b.op("SOFTMAX", [x], {"beta": 1.0}))


@lowers("LogSoftmax", since=13)
def log_softmax(b: TFLiteBuilder, n: Op) -> Value:
    """LogSoftmax -> LOG_SOFTMAX along the last axis."""
    return _along(b, n, lambda x: b.op("LOG_SOFTMAX", [x]))


@lowers("Hardmax", since=13)
def hardmax(b: TFLiteBuilder, n: Op) -> Value:
    """Hardmax -> ARG_MAX and ONE_HOT along the last axis; the first of equal maxima wins."""

    def first_maximum(x: Value) -> Value:
        depth = x.shape[-1]
        if depth is None:
            n.refuse("the size of the axis is known only at run time", code="EK305")
        attrs = {"output_type": np.dtype(np.int32)}
        place = b.op("ARG_MAX", [x, b.ints(-1)], attrs, dtype=np.int32, shape=x.shape[:-1])
        one, zero = b.scalar(1, x), b.scalar(0, x)
        return b.op("ONE_HOT", [place, b.ints(depth), one, zero], {"axis": -1}, dtype=x.dtype, shape=x.shape)

    return _along(b, n, first_maximum)


def _along(b: TFLiteBuilder, n: Op, compute: Callable[[Value], Value]) -> Value:
    """Brings the node's axis last, computes in float32, and puts the axis back."""
    x = n.operand(0)
    if x.static_shape is not None and 0 in x.static_shape:
        return b.const(np.zeros(x.static_shape, x.dtype))  # XNNPACK refuses empty tensors
    axis = n.attr("axis", -1) % max(1, x.rank)
    perm = [i for i in range(x.rank) if i != axis] + [axis]
    back = [perm.index(i) for i in range(x.rank)]
    return carried(b, [x], ("float32",), lambda v: b.transpose(compute(b.transpose(v, perm)), back))
