"""Selu: version 6 states its constants with more digits."""

from __future__ import annotations

import onnx_ir as ir

from edgekit.passes.edit import Maker
from edgekit.passes.upgrade.table import adapts


@adapts("Selu", to=6)
def explicit_constants(maker: Maker) -> None:
    """Writes the old defaults down."""
    attributes = maker.node.attributes
    attributes.pop("consumed_inputs", None)
    for name, default in (("alpha", 1.6732), ("gamma", 1.0507)):
        if name not in attributes:
            attributes[name] = ir.AttrFloat32(name, default)
