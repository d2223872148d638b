"""Padding that the model leaves to the runtime, as numbers."""

from __future__ import annotations

from edgekit.compat.advice.table import Claim, advises
from edgekit.passes.edit import Maker, attribute, make_attr, static_shape


@advises(
    "Conv",
    "MaxPool",
    "AveragePool",
    name="explicit-pads",
    what="auto_pad becomes pads",
    claim=Claim.EXACT,
)
def explicit(maker: Maker) -> bool:
    """Needs known sizes: `SAME` gives `ceil(size / stride)` results."""
    node = maker.node
    mode, shape = attribute(node, "auto_pad", "NOTSET"), static_shape(node.inputs[0])
    weights = static_shape(node.inputs[1]) if node.op_type == "Conv" else None
    kernel = attribute(node, "kernel_shape", None) or (weights[2:] if weights else None)
    if mode == "NOTSET" or shape is None or kernel is None:
        return False
    count = len(kernel)
    strides = attribute(node, "strides", None) or (1,) * count
    dilations = attribute(node, "dilations", None) or (1,) * count
    starts, ends = [], []
    for size, k, stride, dilation in zip(shape[2:], kernel, strides, dilations, strict=True):
        total = max(0, (-(-size // stride) - 1) * stride + (k - 1) * dilation + 1 - size)
        total = 0 if mode == "VALID" else total
        small, large = total // 2, total - total // 2
        starts.append(small if mode != "SAME_LOWER" else large)
        ends.append(large if mode != "SAME_LOWER" else small)
    node.attributes.pop("auto_pad")
    node.attributes["pads"] = make_attr("pads", [*starts, *ends])
    return True
