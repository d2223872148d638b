"""Concat: the axis is required from version 4 on."""

from __future__ import annotations

import onnx_ir as ir

from edgekit.passes.edit import Maker, attribute
from edgekit.passes.upgrade.table import adapts


@adapts("Concat", to=4)
def explicit_axis(maker: Maker) -> None:
    """The default was 1."""
    maker.node.attributes["axis"] = ir.AttrInt64("axis", attribute(maker.node, "axis", 1))
