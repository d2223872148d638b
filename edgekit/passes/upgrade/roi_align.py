"""RoiAlign: the rule of coordinates is named in version 16, with another default."""

from __future__ import annotations

import onnx_ir as ir

from edgekit.passes.edit import Maker
from edgekit.passes.upgrade.table import adapts


@adapts("RoiAlign", to=16)
def name_rule(maker: Maker) -> None:
    """Before, coordinates were not shifted by half a pixel."""
    name = "coordinate_transformation_mode"
    maker.node.attributes[name] = ir.AttrString(name, "output_half_pixel")
