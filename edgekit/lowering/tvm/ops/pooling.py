"""Pooling over windows and over whole images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from edgekit.lowering.ledger import Value
from edgekit.lowering.op import Op
from edgekit.lowering.tvm import codes
from edgekit.lowering.tvm.builder import TVMBuilder, computed
from edgekit.lowering.tvm.ops.convolution import window_attrs
from edgekit.lowering.tvm.table import lowers


def _attrs(n: Op) -> dict[str, Any]:
    kernel = list(n.attr("kernel_shape"))
    ceil = bool(n.attr("ceil_mode", 0)) and not (n.attr("auto_pad") or "").startswith("SAME")
    return window_attrs(n, kernel, n.operand(0)) | {"kernel_shape": kernel, "ceil": ceil}


@lowers("MaxPool", since=12)
def max_pool(b: TVMBuilder, n: Op) -> Value | tuple[Value, Value]:
    """The largest element of each window, and where it lies."""
    x, attrs, shape = n.operand(0), _attrs(n), n.out_shape()
    best = computed(b, [x], lambda v: b.op("max_pool", [v], attrs, dtype=v.dtype, shape=shape))
    if not n.is_used(1):
        return best
    real = b.cast(x, np.float32) if x.dtype.name in ("float16", "bfloat16") else x
    order = {"column_major": bool(n.attr("storage_order", 0))}
    return best, b.op("max_pool_index", [real], attrs | order, dtype=np.int64, shape=shape)


@lowers("AveragePool", since=11)
def average_pool(b: TVMBuilder, n: Op) -> Value:
    """The mean of each window."""
    attrs = _attrs(n) | {"include_pads": bool(n.attr("count_include_pad", 0))}
    return computed(
        b, [n.operand(0)], lambda v: b.op("average_pool", [v], attrs, dtype=v.dtype, shape=n.out_shape())
    )


@lowers("LpPool", since=18)
def lp_pool(b: TVMBuilder, n: Op) -> Value:
    """The p-norm of each window."""
    attrs = _attrs(n) | {"p": n.attr("p", 2)}
    return computed(
        b, [n.operand(0)], lambda v: b.op("lp_pool", [v], attrs, dtype=v.dtype, shape=n.out_shape())
    )


@lowers("GlobalAveragePool", "GlobalMaxPool", since=1)
def global_pool(b: TVMBuilder, n: Op) -> Value:
    """The mean or the largest element over all spatial axes."""
    name = "reduce_mean" if n.type == "GlobalAveragePool" else "reduce_max"
    x = n.operand(0)
    whole = mean_of_codes(b, n, range(2, x.rank), keep=True) if name == "reduce_mean" else None
    return whole or computed(b, [x], lambda v: b.reduce(name, v, range(2, x.rank)))


def mean_of_codes(b: TVMBuilder, n: Op, axes: Sequence[int], *, keep: bool) -> Value | None:
    """Averages the integers behind a value; `None` if there are none that fit."""
    given = b.codes.get(n.operand(0))
    if given is None:
        return None
    try:
        made = codes.mean(b, given, axes, keep=keep)
    except codes.Unfit as verdict:
        b.reasons[n.node] = str(verdict)
        return None
    b.integers.add(n.node)
    return made


@lowers("GlobalLpPool", since=2)
def global_lp_pool(b: TVMBuilder, n: Op) -> Value:
    """The p-norm over all spatial axes."""
    p = n.attr("p", 2)

    def norm(x: Value) -> Value:
        powers = b.map("power", b.map("abs", x), b.scalar(p, x))
        return b.map("power", b.reduce("reduce_sum", powers, range(2, x.rank)), b.scalar(1 / p, x))

    return computed(b, [n.operand(0)], norm)
