"""Gemm: broadcasting of the bias is implied from version 7 on."""

from __future__ import annotations

from edgekit.passes.edit import Maker
from edgekit.passes.upgrade.table import adapts


@adapts("Gemm", to=7)
def implied_broadcast(maker: Maker) -> None:
    """Drops `broadcast`: without it the shapes were equal, with it numpy's rule held."""
    maker.node.attributes.pop("broadcast", None)
