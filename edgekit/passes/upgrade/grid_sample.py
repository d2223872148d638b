"""GridSample: modes are named without the number of axes from version 20 on."""

from __future__ import annotations

import onnx_ir as ir

from edgekit.passes.edit import Maker, attribute
from edgekit.passes.upgrade.table import adapts

_NAMES = {"bilinear": "linear", "bicubic": "cubic", "nearest": "nearest"}


@adapts("GridSample", to=20)
def mode_names(maker: Maker) -> None:
    """Renames the mode."""
    mode = attribute(maker.node, "mode", "bilinear")
    maker.node.attributes["mode"] = ir.AttrString("mode", _NAMES.get(mode, mode))
