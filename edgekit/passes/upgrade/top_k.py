"""TopK: k becomes an input in version 10."""

from __future__ import annotations

from edgekit.passes.edit import Maker, attribute
from edgekit.passes.upgrade.table import adapts


@adapts("TopK", to=10)
def k_as_input(maker: Maker) -> None:
    """The attribute becomes a constant."""
    k = maker.ints([attribute(maker.node, "k")], "k")
    maker.node.attributes.pop("k")
    maker.node.resize_inputs(2)
    maker.node.replace_input_with(1, k)
