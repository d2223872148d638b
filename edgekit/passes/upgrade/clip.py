"""Clip: bounds become inputs in version 11."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from edgekit.passes.edit import Maker, attribute
from edgekit.passes.upgrade.table import adapts, refuse


@adapts("Clip", to=6)
def drop_consumed_inputs(maker: Maker) -> None:
    """Removes an attribute without meaning; missing bounds become the largest finite numbers."""
    maker.node.attributes.pop("consumed_inputs", None)


@adapts("Clip", to=11)
def bounds_as_inputs(maker: Maker) -> None:
    """Bounds of the input's dtype; the default of both versions is the range of finite numbers."""
    node = maker.node
    if node.inputs[0] is None or node.inputs[0].dtype is None:
        raise refuse(node, "the dtype of its input is unknown")
    bounds = [_bound(maker, name, node.inputs[0].dtype) for name in ("min", "max")]
    while bounds and bounds[-1] is None:
        bounds.pop()
    node.resize_inputs(1 + len(bounds))
    for index, value in enumerate(bounds):
        node.replace_input_with(1 + index, value)


def _bound(maker: Maker, name: str, dtype: ir.DataType) -> ir.Value | None:
    number = attribute(maker.node, name)
    maker.node.attributes.pop(name, None)
    if number is None or abs(np.float32(number)) == np.finfo(np.float32).max:
        return None
    return maker.const(number, dtype, name)
