"""Softmax over an axis in the middle, over the last one."""

from __future__ import annotations

from edgekit.compat.advice.table import Claim, advises
from edgekit.passes.edit import Maker, attribute, rank_of


@advises(
    "Softmax",
    "LogSoftmax",
    name="softmax-to-last-axis",
    what="Softmax over another axis than the last becomes Transpose, Softmax, Transpose",
    claim=Claim.ROUNDING,
)
def to_last_axis(maker: Maker) -> bool:
    """Swaps the axis with the last one and back."""
    node = maker.node
    rank = rank_of(node.inputs[0])
    if rank is None or rank < 2:
        return False
    axis = int(attribute(node, "axis", -1)) % rank
    if axis == rank - 1:
        return False
    swap = list(range(rank))
    swap[axis], swap[-1] = swap[-1], swap[axis]
    moved = maker.op("Transpose", node.inputs[0], perm=swap)
    maker.replace(maker.op("Transpose", maker.op(node.op_type, moved, axis=-1), perm=swap))
    return True
