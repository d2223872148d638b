"""Enlarging by repeating elements, from Reshape and Concat alone."""

from __future__ import annotations

from edgekit.compat.advice.table import Claim, advises
from edgekit.passes.edit import Maker, attribute, static_shape

_REPEATING = {
    "asymmetric": ("floor",),
    "half_pixel": ("round_prefer_floor", "round_prefer_ceil"),
}
"""Coordinates and roundings that repeat each element where sizes grow by whole numbers."""
_LARGEST = 4


@advises(
    "Resize",
    name="nearest-to-concat",
    what="nearest Resize by a whole number becomes Concat of the tensor with itself",
    claim=Claim.EXACT,
)
def to_concat(maker: Maker) -> bool:
    """Needs an image of known size that grows by 1 to 4 along height and width."""
    node = maker.node
    shape, result = static_shape(node.inputs[0]), static_shape(node.outputs[0])
    if shape is None or result is None or len(shape) != 4 or shape[:2] != result[:2] or 0 in result:
        return False
    if attribute(node, "mode", "nearest") != "nearest" or attribute(node, "antialias", 0):
        return False
    rounding = attribute(node, "nearest_mode", "round_prefer_floor")
    if rounding not in _REPEATING.get(attribute(node, "coordinate_transformation_mode", "half_pixel"), ()):
        return False
    factors = [after // before for before, after in zip(shape[2:], result[2:], strict=True)]
    grown = [before * factor for before, factor in zip(shape[2:], factors, strict=True)]
    if grown != list(result[2:]) or max(factors) > _LARGEST:
        return False
    n, c, h, w = shape
    value, (tall, wide) = node.inputs[0], factors
    for factor, apart, together in (
        (wide, [n, c, h * w, 1], [n, c, h, w * wide]),
        (tall, [n, c * h, 1, w * wide], [n, c, h * tall, w * wide]),
    ):
        if factor > 1:
            split = maker.op("Reshape", value, maker.ints(apart, "apart"))
            axis = 3 if apart[3] == 1 else 2
            joined = maker.op("Concat", *[split] * factor, axis=axis)
            value = maker.op("Reshape", joined, maker.ints(together, "together"))
    maker.replace(value)
    return True
