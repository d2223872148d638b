"""Moving elements between channels and space."""

from __future__ import annotations

from edgekit.lowering.coreml.builder import CoreMlBuilder
from edgekit.lowering.coreml.table import lowers
from edgekit.lowering.ledger import Value
from edgekit.lowering.op import Op


@lowers("DepthToSpace", since=13)
def depth_to_space(b: CoreMlBuilder, n: Op) -> Value:
    """DepthToSpace -> depth_to_space (DCR) or pixel_shuffle (CRD); integers by reshape and transpose."""
    x, size = n.operand(0), int(n.attr("blocksize"))
    by_column = n.attr("mode", "DCR") == "CRD"
    if x.dtype.kind == "f":
        if by_column:
            return b.op("pixel_shuffle", x=x, upscale_factor=size)
        return b.op("depth_to_space", x=x, block_size=size)
    images, channels, height, width = _sizes(n, x)
    depth = channels // size**2
    if by_column:
        parts, perm = (images, depth, size, size, height, width), (0, 1, 4, 2, 5, 3)
    else:
        parts, perm = (images, size, size, depth, height, width), (0, 3, 4, 1, 5, 2)
    return b.reshape(b.transpose(b.reshape(x, parts), perm), (images, depth, height * size, width * size))


@lowers("SpaceToDepth", since=13)
def space_to_depth(b: CoreMlBuilder, n: Op) -> Value:
    """SpaceToDepth -> space_to_depth; integers, and the column order, by reshape and transpose."""
    x, size = n.operand(0), int(n.attr("blocksize"))
    by_column = n.attr("mode", "DCR") == "CRD"
    if x.dtype.kind == "f" and not by_column:
        return b.op("space_to_depth", x=x, block_size=size)
    images, channels, height, width = _sizes(n, x)
    parts = (images, channels, height // size, size, width // size, size)
    perm = (0, 1, 3, 5, 2, 4) if by_column else (0, 3, 5, 1, 2, 4)
    shape = (images, channels * size**2, height // size, width // size)
    return b.reshape(b.transpose(b.reshape(x, parts), perm), shape)


def _sizes(n: Op, x: Value) -> tuple[int, int, int, int]:
    if x.static_shape is None or x.rank != 4:
        n.refuse("a size known only at run time", code="EK305")
    images, channels, height, width = x.static_shape
    return images, channels, height, width
