"""Blocks of pixels to channels and back."""

from __future__ import annotations

import numpy as np

from edgekit.lowering.ledger import Value
from edgekit.lowering.op import Op
from edgekit.lowering.tflite.builder import TFLiteBuilder
from edgekit.lowering.tflite.formula import Term
from edgekit.lowering.tflite.movement import moved
from edgekit.lowering.tflite.spatial import channels_first, channels_last
from edgekit.lowering.tflite.table import lowers

KERNELS = ("float32", "int8", "uint8", "int32", "int64")
"""Dtypes of TFLite's kernels."""


@lowers("DepthToSpace", since=28)
def depth_to_space(b: TFLiteBuilder, n: Op) -> Value:
    """DepthToSpace -> DEPTH_TO_SPACE; in CRD order a GATHER puts the channels into DCR order first."""
    x, block = n.operand(0), n.attr("blocksize")
    count, channels, height, width = x.shape
    if channels is None:
        n.refuse("the number of channels is known only at run time", code="EK305")
    depth = channels // block**2

    def move(v: Value) -> Value:
        if n.attr("mode") == "CRD":
            order = np.arange(channels).reshape(depth, block**2).T.reshape(-1)
            v = Term(b, v).gather(order, 1).value
        shape = (count, _times(height, block), _times(width, block), depth)
        y = b.op("DEPTH_TO_SPACE", [channels_last(b, v)], {"block_size": block}, dtype=v.dtype, shape=shape)
        return channels_first(b, y)

    return moved(b, [x], KERNELS, move)


@lowers("SpaceToDepth", since=28)
def space_to_depth(b: TFLiteBuilder, n: Op) -> Value:
    """SpaceToDepth -> SPACE_TO_DEPTH; in CRD order a GATHER puts the channels into order behind it."""
    x, block = n.operand(0), n.attr("blocksize")
    count, depth, height, width = x.shape
    if depth is None:
        n.refuse("the number of channels is known only at run time", code="EK305")
    channels = depth * block**2

    def move(v: Value) -> Value:
        shape = (count, _over(height, block), _over(width, block), channels)
        y = b.op("SPACE_TO_DEPTH", [channels_last(b, v)], {"block_size": block}, dtype=v.dtype, shape=shape)
        first = channels_first(b, y)
        if n.attr("mode") != "CRD":
            return first
        order = np.arange(channels).reshape(block**2, depth).T.reshape(-1)
        return Term(b, first).gather(order, 1).value

    return moved(b, [x], KERNELS, move)


def _times(size: int | None, factor: int) -> int | None:
    return None if size is None else size * factor


def _over(size: int | None, factor: int) -> int | None:
    return None if size is None else size // factor
