"""Squeeze, Unsqueeze and Flatten are Reshapes with a constant shape."""

from __future__ import annotations

from edgekit.compat.advice.table import Claim, advises
from edgekit.passes.edit import Maker, static_shape


@advises(
    "Squeeze",
    "Unsqueeze",
    "Flatten",
    name="relabel-to-reshape",
    what="Squeeze, Unsqueeze and Flatten become Reshape",
    claim=Claim.EXACT,
)
def to_reshape(maker: Maker) -> bool:
    """Needs the sizes of the result."""
    shape = static_shape(maker.node.outputs[0])
    if shape is None or 0 in shape:
        return False
    maker.replace(maker.op("Reshape", maker.node.inputs[0], maker.ints(shape)))
    return True
