"""LpPool and GlobalLpPool: the order `p` becomes an integer in version 2."""

from __future__ import annotations

import onnx_ir as ir

from edgekit.passes.edit import Maker, attribute
from edgekit.passes.upgrade.table import adapts, refuse


@adapts("LpPool", "GlobalLpPool", to=2)
def integer_order(maker: Maker) -> None:
    """Only whole orders have a new form."""
    order = float(attribute(maker.node, "p", 2.0))
    if not order.is_integer():
        raise refuse(maker.node, f"the order {order} is not an integer")
    maker.node.attributes["p"] = ir.AttrInt64("p", int(order))
