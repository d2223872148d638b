"""Activation functions."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from edgekit.lowering.ledger import Value
from edgekit.lowering.op import Op
from edgekit.lowering.tvm.builder import TVMBuilder, computed
from edgekit.lowering.tvm.table import lowers

_FUNCTIONS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "Relu": ("relu", {}),
    "LeakyRelu": ("leaky_relu", {"alpha": 0.01}),
    "ThresholdedRelu": ("thresholded_relu", {"alpha": 1.0}),
    "Sigmoid": ("sigmoid", {}),
    "HardSigmoid": ("hard_sigmoid", {"alpha": 0.2, "beta": 0.5}),
    "HardSwish": ("hard_swish", {}),
    "Elu": ("elu", {"alpha": 1.0}),
    "Celu": ("celu", {"alpha": 1.0}),
    "Selu": ("selu", {"alpha": 1.67326319217681884765625, "gamma": 1.05070102214813232421875}),
    "Softplus": ("softplus", {}),
    "Softsign": ("softsign", {}),
    "Mish": ("mish", {}),
    "Swish": ("swish", {"alpha": 1.0}),
    "Shrink": ("shrink", {"lambd": 0.5, "bias": 0.0}),
}
"""Kernel and the defaults of its attributes, by ONNX op. Source: ONNX operator schemas."""


@lowers(*_FUNCTIONS, since=1)
def activation(b: TVMBuilder, n: Op) -> Value:
    """An activation function."""
    name, defaults = _FUNCTIONS[n.type]
    attrs = {k: float(n.attr(k, default)) for k, default in defaults.items()}
    return computed(b, [n.operand(0)], functools.partial(b.map, name, **attrs))


@lowers("Gelu", since=20)
def gelu(b: TVMBuilder, n: Op) -> Value:
    """Gelu by erf, or by tanh."""
    approximate = n.attr("approximate", "none") == "tanh"
    return computed(b, [n.operand(0)], functools.partial(b.map, "gelu", approximate=approximate))


_ALONG = {"Softmax": "softmax", "LogSoftmax": "log_softmax"}


@lowers(*_ALONG, since=13)
def softmax(b: TVMBuilder, n: Op) -> Value:
    """Softmax and LogSoftmax along an axis; halves of Softmax round where its function body does."""
    x = n.operand(0)
    if n.type == "Softmax" and x.dtype.name == "float16":
        n.refuse("the kernel computes in float32 where ONNX rounds each step to float16")
    if n.type == "Softmax" and x.dtype.name == "bfloat16":
        n.approximate(
            "a sum in bfloat16 depends on the order of its terms, by 1 unit in the last place", final=True
        )
    axis = n.attr("axis", -1) % x.rank
    return computed(b, [x], lambda v: b.op(_ALONG[n.type], [v], {"axis": axis}, dtype=v.dtype, shape=v.shape))


@lowers("Hardmax", since=13)
def hardmax(b: TVMBuilder, n: Op) -> Value:
    """1 at the first largest element along an axis, else 0."""
    x = n.operand(0)
    axis = n.attr("axis", -1) % x.rank
    size = x.shape[axis]
    if size is None:
        n.refuse("the axis has a size known only at run time", code="EK305")

    def hit(v: Value) -> Value:
        shape = (*v.shape[:axis], *v.shape[axis + 1 :])
        attrs = {"axis": axis, "keep": False, "last": False}
        best = b.op("argmax", [v], attrs, dtype="int64", shape=shape)
        values = b.const([0, 1], v.dtype)
        return b.op("one_hot", [best, values], {"depth": size, "axis": axis}, dtype=v.dtype, shape=v.shape)

    return computed(b, [x], hit)
