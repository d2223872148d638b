"""Softmax, LogSoftmax and Hardmax before version 13 work on all axes from `axis` on, flattened."""

from __future__ import annotations

import onnx_ir as ir

from edgekit.passes.edit import Maker, attribute, dims
from edgekit.passes.upgrade.table import adapts


@adapts("Softmax", "LogSoftmax", "Hardmax", to=13)
def one_axis(maker: Maker) -> None:
    """States the axis where only one is longer than 1, else flattens and restores the shape."""
    node = maker.node
    x, axis = node.inputs[0], attribute(node, "axis", 1)
    sizes = dims(x)
    if sizes is not None:
        first = axis + len(sizes) if axis < 0 else axis
        long = [a for a in range(first, len(sizes)) if sizes[a] != 1]
        if len(long) <= 1:
            last = long[0] if long else len(sizes) - 1
            node.attributes["axis"] = ir.AttrInt64("axis", last)
            return
    shape = maker.op("Shape", x)
    result = maker.op(node.op_type, maker.op("Flatten", x, axis=axis), axis=-1)
    maker.replace(maker.op("Reshape", result, shape))
