"""Gather of one constant position is a Slice."""

from __future__ import annotations

from edgekit.compat.advice.table import Claim, advises
from edgekit.passes.edit import Maker, attribute, constant, operand, static_shape


@advises(
    "Gather",
    name="gather-to-slice",
    what="Gather at one constant position becomes Slice and Reshape",
    claim=Claim.EXACT,
)
def to_slice(maker: Maker) -> bool:
    """Needs a position known when converting."""
    node = maker.node
    indices, shape = constant(operand(node, 1)), static_shape(node.inputs[0])
    result = static_shape(node.outputs[0])
    if indices is None or indices.size != 1 or shape is None or result is None or 0 in result:
        return False
    axis = int(attribute(node, "axis", 0)) % len(shape)
    start = int(indices.reshape(-1)[0]) % shape[axis]
    bounds = (maker.ints([start], "start"), maker.ints([start + 1], "end"), maker.ints([axis], "axis"))
    maker.replace(maker.op("Reshape", maker.op("Slice", node.inputs[0], *bounds), maker.ints(result)))
    return True
