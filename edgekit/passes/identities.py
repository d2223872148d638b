"""Removes nodes that give back their input, whatever it holds."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx_ir as ir

from edgekit.passes.edit import (
    absorb,
    all_graphs,
    attribute,
    constant,
    dims,
    drop,
    is_used,
    operand,
    rank_of,
    replace_value,
    scalar,
    static_shape,
)
from edgekit.passes.report import PassReport

NAME = "identities"

Rule = Callable[[ir.Node], bool]
RULES: dict[str, Rule] = {}
"""Tells for a node of an op whether its first output equals its first input."""


def rule(*op_types: str) -> Callable[[Rule], Rule]:
    """Registers the decorated function as the rule of ops."""

    def register(function: Rule) -> Rule:
        for op_type in op_types:
            RULES[op_type] = function
        return function

    return register


def call(model: ir.Model) -> PassReport:
    """Removes every such node; its origin goes to the node that computes its input.

    Args:
        model: Changed in place; types must be inferred.

    Returns:
        How many nodes were removed.
    """
    count = 0
    for graph in tuple(all_graphs(model.graph)):
        for node in tuple(graph):
            if not node.domain and node.op_type in RULES and RULES[node.op_type](node):
                count += _remove(node)
    return PassReport(NAME, count, f"removed {count} nodes that change nothing")


def _remove(node: ir.Node) -> bool:
    same, result = node.inputs[0], node.outputs[0]
    if same is None or any(is_used(v) for v in node.outputs[1:]):
        return False
    if result.is_graph_output():
        # Only a value of the same graph, computed and not an output itself, can take over the name.
        free = same.producer() is not None and same.graph is node.graph and not same.is_graph_output()
        if not free:
            return False
    replace_value(result, same)
    absorb(same.producer(), node)
    drop(node)
    return True


@rule("Identity")
def _identity(node: ir.Node) -> bool:
    return True


@rule("Concat", "Sum", "Max", "Min", "Mean")
def _only_operand(node: ir.Node) -> bool:
    return len(node.inputs) == 1


@rule("Dropout")
def _dropout(node: ir.Node) -> bool:
    training = operand(node, 2)
    return training is None or scalar(training) == np.False_


@rule("Cast")
def _cast(node: ir.Node) -> bool:
    value = node.inputs[0]
    return value is not None and value.dtype is not None and value.dtype == attribute(node, "to")


@rule("Transpose")
def _transpose(node: ir.Node) -> bool:
    rank = rank_of(node.inputs[0])
    perm = attribute(node, "perm")
    if perm is None:
        return rank is not None and rank < 2
    return list(perm) == list(range(len(perm)))


@rule("Reshape", "Expand", "Squeeze", "Unsqueeze", "Flatten")
def _same_shape(node: ir.Node) -> bool:
    """Equal sizes, symbols included, leave nothing to relabel."""
    before, after = dims(node.inputs[0]), dims(node.outputs[0])
    return before is not None and before == after and None not in before


@rule("Slice", "Pad", "Tile")
def _same_static_shape(node: ir.Node) -> bool:
    if node.op_type == "Pad":
        pads = constant(operand(node, 1))
        return pads is not None and not pads.any()
    if node.op_type == "Tile":
        repeats = constant(operand(node, 1))
        return repeats is not None and bool((repeats == 1).all())
    steps = constant(operand(node, 4))
    forwards = operand(node, 4) is None or (steps is not None and bool((steps == 1).all()))
    shape = static_shape(node.inputs[0])
    return forwards and shape is not None and shape == static_shape(node.outputs[0])


@rule("Split")
def _one_part(node: ir.Node) -> bool:
    return len(node.outputs) == 1


@rule("Mul", "Div", "Pow")
def _one(node: ir.Node) -> bool:
    return _neutral(node, 1)


@rule("Sub")
def _zero(node: ir.Node) -> bool:
    return _neutral(node, 0)  # not Add: -0.0 + 0.0 is 0.0


def _neutral(node: ir.Node, number: int) -> bool:
    first, second = node.inputs
    if first is None or second is None or first.dtype != node.outputs[0].dtype:
        return False
    sizes = dims(first)
    if sizes is None or None in sizes or sizes != dims(node.outputs[0]):
        return False
    return scalar(second) == number


@rule("DepthToSpace", "SpaceToDepth")
def _block_of_one(node: ir.Node) -> bool:
    return bool(attribute(node, "blocksize") == 1)


@rule("Resize")
def _same_size(node: ir.Node) -> bool:
    """Sampling at the pixels themselves; cropping moves them."""
    shape = static_shape(node.inputs[0])
    scales = constant(operand(node, 2))
    if attribute(node, "coordinate_transformation_mode") == "tf_crop_and_resize":
        return False
    if scales is not None and scales.size and not (scales == 1).all():
        return False
    return shape is not None and shape == static_shape(node.outputs[0])
