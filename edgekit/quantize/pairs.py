"""Pairs of layers between which each channel can be scaled: one divides by it, the next multiplies."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from edgekit.passes.edit import (
    attribute,
    constant,
    is_constant,
    only_consumer,
    operand,
    rank_of,
    static_shape,
)
from edgekit.quantize.roles import Role, role_of, weights_of

_POOLS = frozenset(("MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool"))
_HOMOGENEOUS = frozenset(("Relu", "LeakyRelu", "PRelu", "Identity"))


@dataclass(frozen=True, slots=True)
class Pair:
    """Two layers, and between them only functions with f(c x) = c f(x) for every channel and c > 0.

    Attributes:
        first: Makes the channels.
        second: The only reader of them.
        between: The nodes on the way.
        repeat: How many neighbouring inputs of the second each channel of the first becomes (Flatten).
        channels: How many channels there are.
    """

    first: ir.Node
    second: ir.Node
    between: tuple[ir.Node, ...]
    repeat: int
    channels: int

    @property
    def value(self) -> ir.Value:
        """What the second reads."""
        value = self.second.inputs[0]
        assert value is not None
        return value


@dataclass(frozen=True, slots=True)
class Apart:
    """A layer whose channels cannot be scaled, and why."""

    node: str
    reason: str


def pairs_of(graph: ir.Graph) -> tuple[list[Pair], list[Apart]]:
    """Finds the pairs of a graph, and for each other layer the reason why it starts none."""
    pairs: list[Pair] = []
    apart: list[Apart] = []
    for node in graph:
        if role_of(node) is not Role.WEIGHTED:
            continue
        found = _pair(node)
        if isinstance(found, Pair):
            pairs.append(found)
        else:
            apart.append(Apart(node.name or node.op_type, found))
    return pairs, apart


def _pair(first: ir.Node) -> Pair | str:
    channels = channels_of(first)
    axis = channel_axis(first)
    if channels is None or axis is None:
        return "its shape is not known"
    between: list[ir.Node] = []
    value, repeat = first.outputs[0], 1
    while True:
        after = only_consumer(value)
        if after is None:
            return "its result is an output or is read by several nodes"
        if after.inputs[0] is not value:
            return f"`{after.op_type}` takes it as another operand"
        if role_of(after) is Role.WEIGHTED and weights_of(after) is not None:
            same = channel_axis(after, of_input=True) == axis and inputs_of(after) == channels * repeat
            return Pair(first, after, tuple(between), repeat, channels) if same else "the axes differ"
        if not _passes(after, axis):
            return _obstacle(after)
        grown = _spread(after, axis)
        if grown is None:
            return f"`{after.op_type}` mixes channels"
        repeat *= grown
        between.append(after)
        value = after.outputs[0]


def _obstacle(node: ir.Node) -> str:
    if node.op_type == "Clip":
        return "`Clip` has an upper limit, which would be another one for each channel"
    return f"`{node.op_type}` is no function of each channel with f(c x) = c f(x)"


def _passes(node: ir.Node, axis: int) -> bool:
    """Tells whether scaling a channel before the node is the same as scaling it after."""
    if node.domain or any(v.uses() or v.is_graph_output() for v in node.outputs[1:]):
        return False
    if node.op_type == "PRelu":
        return is_constant(operand(node, 1))
    if node.op_type in _HOMOGENEOUS or (node.op_type in _POOLS and axis == 1):
        return True
    if node.op_type == "Clip":
        low, high = constant(operand(node, 1)), constant(operand(node, 2))
        unlimited = high is None or not (high < np.finfo(np.float32).max).any()
        return unlimited and low is not None and not low.any() and (high is not None or not operand(node, 2))
    return node.op_type in ("ReduceMean", "Flatten", "Reshape")


def _spread(node: ir.Node, axis: int) -> int | None:
    """Returns into how many neighbours along the channel axis a node spreads each channel."""
    if node.op_type == "ReduceMean":
        axes, rank = constant(operand(node, 1)), rank_of(node.inputs[0])
        if axes is None or rank is None or not axes.size:
            return None
        return 1 if all(int(a) % rank > axis for a in axes.reshape(-1)) else None
    if node.op_type not in ("Flatten", "Reshape"):
        return 1
    before, after = node.inputs[0], node.outputs[0]
    held = None if before is None or before.shape is None else tuple(before.shape)[1:]
    if axis != 1 or held is None or not all(isinstance(d, int) for d in held) or rank_of(after) != 2:
        return None
    spread = int(np.prod([d for d in held[1:] if isinstance(d, int)], dtype=np.int64))
    width = None if after.shape is None else after.shape[1]
    return spread if isinstance(width, int) and width == spread * held[0] else None


def channel_axis(node: ir.Node, *, of_input: bool = False) -> int | None:
    """Returns along which axis of its result (or input) the channels of a weighted node lie."""
    if node.op_type in ("Conv", "ConvTranspose"):
        return 1
    rank = rank_of(node.inputs[0] if of_input else node.outputs[0])
    if node.op_type == "Gemm" and of_input and attribute(node, "transA", 0):
        return None
    return None if rank is None else rank - 1


def channels_of(node: ir.Node) -> int | None:
    """Returns how many channels a weighted node makes."""
    place, shape = weights_of(node), static_shape(operand(node, 1))
    return None if place is None or shape is None else shape[place.axis]


def inputs_of(node: ir.Node) -> int | None:
    """Returns how many channels a weighted node reads."""
    shape = static_shape(operand(node, 1))
    if shape is None:
        return None
    if node.op_type == "Conv":
        return shape[1] * int(attribute(node, "group", 1))
    return shape[input_axis(node)]


def input_axis(node: ir.Node) -> int:
    """Returns along which axis of its weights the inputs of an ungrouped node lie."""
    place = weights_of(node)
    assert place is not None
    return 1 - place.axis
