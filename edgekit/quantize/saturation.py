"""Ranges before functions that saturate: what cannot be told apart after them needs no codes before them.

Logits of a Softmax often reach far below zero, and one scale for all of that leaves the top ones a few codes.
But Softmax does not see how far below: with n classes, entries below their row's largest by over ln(512 n)
have less than half a step (1/512) of probability all together. So codes are needed from the lowest of the
rows' largest entries, less that; everything lower may saturate. Sigmoid and Tanh are within half a step of
their ends from fixed points on.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import onnx_ir as ir

from edgekit.passes.edit import attribute, dims, is_constant
from edgekit.quantize.calibration import Ranges
from edgekit.quantize.roles import role_of

HALF_A_STEP = 512
"""One over half a step of an 8-bit result between 0 and 1."""
MARGIN = 2.0
"""How many times the distance that suffices on the calibration data is kept for other data."""
_FIXED = {"Sigmoid": math.log(2 * HALF_A_STEP), "Tanh": math.atanh(1 - 2 / HALF_A_STEP) + 0.5}
_MOVES = frozenset(("Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose", "Identity"))


@dataclass(frozen=True, slots=True)
class Softmaxed:
    """A tensor that only a Softmax reads.

    Attributes:
        axis: Along which it is normalised.
        depth: How far below the largest entry of a row an entry still counts.
        same: Tensors with the same elements that nothing else reads, itself among them.
    """

    axis: int
    depth: float
    same: tuple[str, ...]


def softmaxed(graph: ir.Graph) -> dict[str, Softmaxed]:
    """Returns the tensors that only a Softmax reads, by name."""
    found: dict[str, Softmaxed] = {}
    for node in graph:
        value, sizes = (node.inputs[0], dims(node.inputs[0])) if node.op_type == "Softmax" else (None, None)
        if value is None or not value.name or sizes is None or not _is_only_read(value):
            continue
        axis = int(attribute(node, "axis", -1)) % len(sizes)
        classes = sizes[axis]
        if isinstance(classes, int) and classes > 1:
            depth = MARGIN * math.log(HALF_A_STEP * classes)
            found[value.name] = Softmaxed(axis, depth, tuple(_same(value)))
    return found


def narrowed(graph: ir.Graph, ranges: Ranges, tops: Mapping[str, float]) -> Ranges:
    """Returns the ranges without what saturates after them.

    Args:
        graph: The float model's graph.
        ranges: Lowest and highest value of each tensor.
        tops: The lowest of the largest entries of all rows, for the tensors of `softmaxed`.
    """
    made = dict(ranges)
    for name, top in tops.items():
        held = softmaxed(graph)[name]
        for one in held.same:
            if one in made:
                made[one] = (min(max(made[one][0], top - held.depth), 0.0), made[one][1])
    for node in graph:
        limit = _FIXED.get(node.op_type)
        value = node.inputs[0] if limit is not None else None
        if value is None or not _is_only_read(value):
            continue
        for one in _same(value):
            if one in made and limit is not None:
                low, high = made[one]
                made[one] = (max(low, -limit), min(high, limit))
    return made


def _is_only_read(value: ir.Value) -> bool:
    return len(value.uses()) == 1 and not value.is_graph_output() and not is_constant(value)


def _same(value: ir.Value) -> list[str]:
    """Returns a tensor and those that it is only another shape of."""
    names = [value.name or ""]
    node = value.producer()
    while node is not None and node.op_type in _MOVES and role_of(node) is not None:
        before = node.inputs[0]
        if before is None or not _is_only_read(before):
            break
        names.append(before.name or "")
        node = before.producer()
    return names
