"""Broadcasting by the attributes `broadcast` and `axis` becomes numpy's rule in version 7."""

from __future__ import annotations

from edgekit.passes.edit import Maker, attribute, rank_of, size_of
from edgekit.passes.upgrade.table import adapts, refuse


@adapts("Add", "Sub", "Mul", "Div", "Pow", "And", "Or", "Xor", "Equal", "Greater", "Less", to=7)
def broadcast(maker: Maker) -> None:
    """Aligns the second operand, which may be one element, or match axes of the first from `axis` on."""
    node = maker.node
    enabled, axis = attribute(node, "broadcast", 0), attribute(node, "axis")
    node.attributes.pop("broadcast", None)
    node.attributes.pop("axis", None)
    if not enabled:
        return
    left, right = node.inputs
    rank, own = rank_of(left), rank_of(right)
    if right is None or rank is None or own is None:
        if axis is not None:
            raise refuse(node, "the rank of an operand is unknown")
        return
    if own > rank or (size_of(right) == 1 and own > 0):
        node.replace_input_with(1, maker.op("Reshape", right, maker.ints([])))
        return
    missing = rank - own - (axis % rank if axis is not None else rank - own)
    if missing > 0:
        # Unsqueeze has its axes as an attribute in this opset.
        axes = list(range(own, own + missing))
        node.replace_input_with(1, maker.op("Unsqueeze", right, axes=axes))
