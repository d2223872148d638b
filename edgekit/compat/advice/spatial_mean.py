"""A mean over all of the image is a GlobalAveragePool."""

from __future__ import annotations

from edgekit.compat.advice.table import Claim, advises
from edgekit.passes.edit import Maker, attribute, constant, operand, static_shape


@advises(
    "ReduceMean",
    name="mean-to-pool",
    what="ReduceMean over height and width becomes GlobalAveragePool",
    claim=Claim.ROUNDING,
)
def to_pool(maker: Maker) -> bool:
    """Needs an image of known size, and the axes of all of it."""
    node = maker.node
    shape, axes = static_shape(node.inputs[0]), constant(operand(node, 1))
    result = static_shape(node.outputs[0])
    if shape is None or result is None or len(shape) != 4 or axes is None:
        return False
    if sorted(int(a) % 4 for a in axes.reshape(-1)) != [2, 3]:
        return False
    pooled = maker.op("GlobalAveragePool", node.inputs[0])
    if not attribute(node, "keepdims", 1):
        pooled = maker.op("Reshape", pooled, maker.ints(result))
    maker.replace(pooled)
    return True
