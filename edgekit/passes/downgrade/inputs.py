"""Constant inputs become attributes again."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgekit.passes.downgrade.table import Unreachable, reverses
from edgekit.passes.edit import Maker, attribute, constant, dims, operand, rank_of


def taken(maker: Maker, index: int, name: str) -> NDArray[Any] | None:
    """Takes a constant input off a node.

    Args:
        maker: At the node.
        index: Position of the input.
        name: Its name, for the message.

    Returns:
        Its elements, or `None` where it is left out.

    Raises:
        Unreachable: If it is computed at run time.
    """
    value = operand(maker.node, index)
    if value is None:
        return None
    array = constant(value)
    if array is None:
        raise Unreachable(f"`{name}` is computed at run time, and was an attribute")
    return array.reshape(-1)


def _ints(node: ir.Node, name: str, array: NDArray[Any] | None) -> None:
    if array is not None:
        node.attributes[name] = ir.AttrInt64s(name, [int(x) for x in array])


@reverses("Squeeze", "Unsqueeze", "ReduceSum", of=13)
@reverses(
    *("ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMax", "ReduceMean", "ReduceMin"),
    *("ReduceProd", "ReduceSumSquare"),
    of=18,
)
def axes(maker: Maker) -> None:
    """Axes as an attribute; a reduction over no axes is the same values."""
    node = maker.node
    found = taken(maker, 1, "axes")
    if node.op_type.startswith("Reduce") and (found is None or not found.size):
        if attribute(node, "noop_with_empty_axes", 0):
            raise Unreachable("a reduction over no axes cannot be written")
        found = None
    node.attributes.pop("noop_with_empty_axes", None)
    _ints(node, "axes", found)
    node.resize_inputs(1)


@reverses("Split", of=18)
def split_parts(maker: Maker) -> None:
    """Without sizes the parts are equal; otherwise the sizes are stated."""
    node = maker.node
    if operand(node, 1) is not None:
        return
    sizes, axis = dims(node.inputs[0]), attribute(node, "axis", 0)
    node.attributes.pop("num_outputs", None)
    length = None if sizes is None else sizes[axis]
    count = len(node.outputs)
    if not isinstance(length, int):
        raise Unreachable("the size of the split axis is unknown")
    if length % count:
        part = -(-length // count)
        node.resize_inputs(2)
        node.replace_input_with(1, maker.ints([part] * (count - 1) + [length - part * (count - 1)]))


@reverses("Split", of=13)
def split_sizes(maker: Maker) -> None:
    """Sizes as an attribute."""
    _ints(maker.node, "split", taken(maker, 1, "split"))
    maker.node.resize_inputs(1)


@reverses("Clip", of=11)
def bounds(maker: Maker) -> None:
    """Bounds as attributes, which are float32."""
    node = maker.node
    for index, name in ((1, "min"), (2, "max")):
        found = taken(maker, index, name)
        if found is not None:
            node.attributes[name] = ir.AttrFloat32(name, float(found[0]))
    if attribute(node, "min", -np.inf) > attribute(node, "max", np.inf):
        raise Unreachable("its lower bound is above the upper one")
    node.resize_inputs(1)


@reverses("Pad", of=11)
def pads(maker: Maker) -> None:
    """Amounts and fill value as attributes."""
    node = maker.node
    found, value = taken(maker, 1, "pads"), taken(maker, 2, "constant_value")
    _ints(node, "pads", found)
    if value is not None:
        node.attributes["value"] = ir.AttrFloat32("value", float(value[0]))
    node.resize_inputs(1)


@reverses("Pad", of=18)
def pad_axes(maker: Maker) -> None:
    """Amounts for all axes instead of some."""
    node = maker.node
    chosen, rank = taken(maker, 3, "axes"), rank_of(node.inputs[0])
    if chosen is None:
        return
    amounts = taken(maker, 1, "pads")
    if amounts is None or rank is None:
        raise Unreachable("the rank of the input is unknown")
    both = np.zeros((2, rank), np.int64)
    both[:, chosen.astype(np.int64) % rank] = amounts.reshape(2, -1)
    node.replace_input_with(1, maker.ints(both, "pads"))
    node.resize_inputs(3)


@reverses("Slice", of=10)
def slice_bounds(maker: Maker) -> None:
    """Bounds as attributes; steps did not exist."""
    node = maker.node
    steps = taken(maker, 4, "steps")
    if steps is not None and (steps != 1).any():
        raise Unreachable("it has steps, which did not exist")
    for index, name in ((1, "starts"), (2, "ends"), (3, "axes")):
        _ints(node, name, taken(maker, index, name))
    node.resize_inputs(1)


@reverses("TopK", of=11)
def largest_sorted(maker: Maker) -> None:
    """Only the largest, sorted, existed."""
    node = maker.node
    if not attribute(node, "largest", 1):
        raise Unreachable("it asks for the smallest elements")
    for name in ("largest", "sorted"):
        node.attributes.pop(name, None)


@reverses("TopK", of=10)
def top_count(maker: Maker) -> None:
    """K as an attribute."""
    found = taken(maker, 1, "K")
    if found is not None:
        maker.node.attributes["k"] = ir.AttrInt64("k", int(found[0]))
    maker.node.resize_inputs(1)


@reverses("DFT", of=20)
def dft_axis(maker: Maker) -> None:
    """The axis as an attribute, always stated: the default was another."""
    node = maker.node
    axis, rank = taken(maker, 2, "axis"), rank_of(node.inputs[0])
    number = -2 if axis is None else int(axis[0])
    if number < 0 and rank is None:
        raise Unreachable("the rank of the input is unknown")
    node.attributes["axis"] = ir.AttrInt64("axis", number + rank if number < 0 and rank else number)
    node.resize_inputs(min(len(node.inputs), 2))
