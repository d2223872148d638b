"""Reductions: axes become an input; logarithms of integer sums have no newest form."""

from __future__ import annotations

import onnx_ir as ir

from edgekit.passes.edit import Maker, attribute
from edgekit.passes.upgrade.table import adapts, refuse


@adapts("ReduceSum", to=13)
@adapts(
    *("ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMax", "ReduceMean", "ReduceMin"),
    *("ReduceProd", "ReduceSumSquare"),
    to=18,
)
def axes_as_input(maker: Maker) -> None:
    """Without axes all are reduced, before and after."""
    axes = attribute(maker.node, "axes")
    maker.node.attributes.pop("axes", None)
    if axes:
        maker.node.resize_inputs(2)
        maker.node.replace_input_with(1, maker.ints(axes, "axes"))


@adapts("ReduceLogSum", "ReduceLogSumExp", to=28)
def floats_only(maker: Maker) -> None:
    """Integer inputs are no longer allowed, for the logarithm is not an integer."""
    value = maker.node.inputs[0]
    integers = (ir.DataType.INT32, ir.DataType.INT64, ir.DataType.UINT32, ir.DataType.UINT64)
    if value is not None and value.dtype in integers:
        raise refuse(maker.node, f"integers ({value.dtype.name.lower()}) are not defined for it any more")
