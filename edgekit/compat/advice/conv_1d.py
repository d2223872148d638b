"""A convolution over one axis is one over an image of height 1."""

from __future__ import annotations

from edgekit.compat.advice.table import Claim, advises
from edgekit.passes.edit import Maker, attribute, constant, operand, static_shape


@advises(
    "Conv",
    name="conv-1d-to-2d",
    what="Conv over one axis becomes Conv over an image of height 1",
    claim=Claim.ROUNDING,
)
def to_image(maker: Maker) -> bool:
    """Needs known sizes and constant weights."""
    node = maker.node
    shape, result = static_shape(node.inputs[0]), static_shape(node.outputs[0])
    weights = constant(operand(node, 1))
    if shape is None or result is None or weights is None or len(shape) != 3:
        return False
    if attribute(node, "auto_pad", "NOTSET") not in ("NOTSET", "VALID"):
        return False
    begin, end = attribute(node, "pads", None) or (0, 0)
    wide = maker.op("Reshape", node.inputs[0], maker.ints([*shape[:2], 1, shape[2]], "image"))
    made = maker.op(
        "Conv",
        wide,
        maker.const(weights[:, :, None, :], hint="weights"),
        operand(node, 2),
        group=attribute(node, "group", 1),
        kernel_shape=[1, weights.shape[2]],
        pads=[0, begin, 0, end],
        strides=[1, *(attribute(node, "strides", None) or (1,))],
        dilations=[1, *(attribute(node, "dilations", None) or (1,))],
    )
    maker.replace(maker.op("Reshape", made, maker.ints(result, "signal")))
    return True
