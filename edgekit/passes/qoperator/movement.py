"""Ops that ONNX allows on integers and that treat codes and reals alike: between both conversions too."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from edgekit.passes.edit import Maker, attribute, constant, operand
from edgekit.passes.qoperator.table import Stays, kept, unfolds

_MOVES = frozenset(
    ("Identity", "Reshape", "Transpose", "Flatten", "Squeeze", "Unsqueeze", "Slice", "Gather", "Split")
)
"""Ops through which codes pass as they are."""
_POOL = ("auto_pad", "ceil_mode", "dilations", "kernel_shape", "pads", "strides", "storage_order")


@unfolds("MaxPool", domain="")
def max_pool(maker: Maker) -> None:
    """MaxPool of codes; codes grow with the reals."""
    if len(maker.node.outputs) > 1:
        raise Stays
    parameters = _behind(maker.node.inputs[0])
    x = maker.op("DequantizeLinear", maker.node.inputs[0], *parameters)
    maker.replace(maker.op("QuantizeLinear", maker.op("MaxPool", x, **kept(maker, *_POOL)), *parameters))


@unfolds("Pad", domain="")
def pad(maker: Maker) -> None:
    """Pad of codes with a code: the real that it stands for."""
    if attribute(maker.node, "mode", "constant") != "constant" or operand(maker.node, 1) is None:
        raise Stays
    scale, *zeros = _behind(maker.node.inputs[0])
    fill, given = constant(operand(maker.node, 2)), operand(maker.node, 2)
    if given is not None and fill is None:
        raise Stays
    zero = constant(zeros[0]) if zeros else None
    number = 0 if fill is None else int(fill.reshape(-1)[0])
    real = (number - (0 if zero is None else int(zero.reshape(-1)[0]))) * np.float32(_number(scale))
    x = maker.op("DequantizeLinear", maker.node.inputs[0], scale, *zeros)
    axes = operand(maker.node, 3)
    y = maker.op("Pad", x, maker.node.inputs[1], maker.const(np.float32(real), hint="fill"), axes)
    maker.replace(maker.op("QuantizeLinear", y, scale, *zeros))


def _behind(value: ir.Value | None) -> tuple[ir.Value, ...]:
    """Returns scale and zero point with which codes were made.

    Raises:
        Stays: If they are not constants of one element, or it is not known.
    """
    node = None if value is None else value.producer()
    while node is not None and not node.domain and node.op_type in _MOVES and node.inputs[0] is not None:
        node = node.inputs[0].producer()
    if node is None or node.domain or node.op_type != "QuantizeLinear":
        raise Stays
    found = tuple(v for v in node.inputs[1:] if v is not None)
    if any((c := constant(v)) is None or c.size != 1 for v in found):
        raise Stays
    return found


def _number(value: ir.Value) -> float:
    data = constant(value)
    assert data is not None
    return float(data.reshape(-1)[0])
