"""Softmax over the last axis of many rows, as a Softmax over the rows of a matrix."""

from __future__ import annotations

import math

from edgekit.compat.advice.table import Claim, advises
from edgekit.passes.edit import Maker, attribute, static_shape


@advises(
    "Softmax",
    "LogSoftmax",
    name="softmax-of-a-matrix",
    what="Softmax over the last axis is computed on a tensor of two axes",
    claim=Claim.EXACT,
)
def of_a_matrix(maker: Maker) -> bool:
    """Needs known sizes and the last axis."""
    node = maker.node
    shape = static_shape(node.inputs[0])
    if shape is None or len(shape) < 3 or 0 in shape:
        return False
    if int(attribute(node, "axis", -1)) % len(shape) != len(shape) - 1:
        return False
    flat = maker.op("Reshape", node.inputs[0], maker.ints([math.prod(shape[:-1]), shape[-1]], "rows"))
    made = maker.op(node.op_type, flat, axis=-1)
    maker.replace(maker.op("Reshape", made, maker.ints(shape, "shape")))
    return True
