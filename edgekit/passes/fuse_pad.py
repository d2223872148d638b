"""Folds a Pad into the convolution or pooling that reads it, where that is exact."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from edgekit.passes.edit import (
    absorb,
    all_graphs,
    attribute,
    constant,
    is_used,
    operand,
    producer,
    rank_of,
    scalar,
)
from edgekit.passes.report import PassReport

NAME = "fuse-pad"


def call(model: ir.Model) -> PassReport:
    """Adds the amounts to the pads of the reader.

    Args:
        model: Changed in place; types must be inferred.

    Returns:
        How many Pads were folded.
    """
    count = 0
    for graph in tuple(all_graphs(model.graph)):
        for node in tuple(graph):
            if node.op_type in _READERS and not node.domain:
                count += _fuse(node)
    return PassReport(NAME, count, f"folded {count} Pad into their readers")


def _fuse(node: ir.Node) -> bool:
    pad = producer(node.inputs[0], "Pad")
    if pad is None or attribute(node, "auto_pad", "NOTSET") not in ("NOTSET", "VALID"):
        return False
    amounts = _spatial_amounts(pad)
    if amounts is None or not _READERS[node.op_type](node, pad, amounts):
        return False
    count = len(amounts) // 2
    own = attribute(node, "pads") or (0,) * len(amounts)
    total = [int(a) + int(b) for a, b in zip(own, amounts, strict=True)]
    node.attributes.pop("auto_pad", None)
    node.attributes["pads"] = ir.AttrInt64s("pads", total)
    node.replace_input_with(0, pad.inputs[0])
    absorb(node, pad)
    if not is_used(pad.outputs[0]) and pad.graph is not None:
        pad.graph.remove(pad, safe=True)
    return count > 0


def _spatial_amounts(pad: ir.Node) -> list[int] | None:
    """Returns begins and ends of the spatial axes when nothing else is padded, and nothing is cropped."""
    rank, pads = rank_of(pad.inputs[0]), constant(operand(pad, 1))
    axes = constant(operand(pad, 3))
    if rank is None or rank < 3 or pads is None or attribute(pad, "mode", "constant") != "constant":
        return None
    if axes is None and operand(pad, 3) is not None:
        return None
    order = list(range(rank)) if axes is None else [int(a) % rank for a in axes]
    begins, ends = [0] * rank, [0] * rank
    for k, axis in enumerate(order):
        begins[axis], ends[axis] = int(pads[k]), int(pads[k + len(order)])
    if min(begins + ends) < 0 or any(begins[:2] + ends[:2]):
        return None
    return begins[2:] + ends[2:]


def _fill(pad: ir.Node) -> float | None:
    value = operand(pad, 2)
    if value is None:
        return 0.0
    number = scalar(value)
    return None if number is None else float(number)


def _conv(node: ir.Node, pad: ir.Node, amounts: list[int]) -> bool:
    return _fill(pad) == 0


def _average_pool(node: ir.Node, pad: ir.Node, amounts: list[int]) -> bool:
    """The zeros count: all pads of the pool must count as well."""
    own = any(attribute(node, "pads") or ())
    counts = attribute(node, "count_include_pad", 0)
    if _fill(pad) != 0 or attribute(node, "ceil_mode", 0) or (own and not counts):
        return False
    if not _each_window_meets_data(node, amounts):
        return False
    node.attributes["count_include_pad"] = ir.AttrInt64("count_include_pad", 1)
    return True


def _max_pool(node: ir.Node, pad: ir.Node, amounts: list[int]) -> bool:
    """Padding with -inf is that of the pool; with 0 only when the data is known not to be negative."""
    if len(node.outputs) > 1 or attribute(node, "ceil_mode", 0) or not _each_window_meets_data(node, amounts):
        return False
    fill = _fill(pad)
    return fill == -np.inf or (fill == 0 and _never_negative(pad.inputs[0]))


def _each_window_meets_data(node: ir.Node, amounts: list[int]) -> bool:
    """Pads below the window's length leave each window at least one element of the data."""
    kernel = attribute(node, "kernel_shape")
    own = attribute(node, "pads") or (0,) * len(amounts)
    if any(d != 1 for d in attribute(node, "dilations") or ()):
        return False
    return all(a + b < k for a, b, k in zip(own, amounts, (*kernel, *kernel), strict=True))


def _never_negative(value: ir.Value | None) -> bool:
    node = producer(value, "Relu", "Sigmoid", "Clip", "Softmax", "HardSigmoid", "Abs", "Exp")
    if node is None:
        return False
    if node.op_type != "Clip":
        return True
    low = scalar(operand(node, 1))
    return low is not None and bool(low >= 0)


_READERS = {"Conv": _conv, "AveragePool": _average_pool, "MaxPool": _max_pool}
