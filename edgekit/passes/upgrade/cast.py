"""Cast: the dtype was a string in version 1."""

from __future__ import annotations

import onnx_ir as ir

from edgekit.passes.edit import Maker, attribute
from edgekit.passes.upgrade.table import adapts, refuse


@adapts("Cast", to=6)
def dtype_as_int(maker: Maker) -> None:
    """Writes the name of the dtype as its number."""
    name = str(attribute(maker.node, "to", "")).upper()
    if name not in ir.DataType.__members__:
        raise refuse(maker.node, f"`{name}` is not a dtype")
    maker.node.attributes["to"] = ir.AttrInt64("to", int(ir.DataType[name]))
