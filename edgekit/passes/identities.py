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

Rule = Callable[[ir.Node], ir.Value | None]
RULES: dict[str, Rule] = {}
"""Gives for a node of an op the input that its first output equals, if any."""


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
            same = None if node.domain or node.op_type not in RULES else RULES[node.op_type](node)
            count += same is not None and _remove(node, same)
    return PassReport(NAME, count, f"removed {count} nodes that change nothing")


def _remove(node: ir.Node, same: ir.Value) -> bool:
    result = node.outputs[0]
    if any(is_used(v) for v in node.outputs[1:]):
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


def _first_if(holds: bool, node: ir.Node) -> ir.Value | None:
    return node.inputs[0] if holds else None


@rule("Identity")
def _identity(node: ir.Node) -> ir.Value | None:
    return node.inputs[0]


@rule("Concat", "Sum", "Max", "Min", "Mean")
def _only_operand(node: ir.Node) -> ir.Value | None:
    return _first_if(len(node.inputs) == 1, node)


@rule("Dropout")
def _dropout(node: ir.Node) -> ir.Value | None:
    training = operand(node, 2)
    return _first_if(training is None or scalar(training) == np.False_, node)


@rule("Cast")
def _cast(node: ir.Node) -> ir.Value | None:
    value = node.inputs[0]
    return _first_if(
        value is not None and value.dtype is not None and value.dtype == attribute(node, "to"), node
    )


@rule("Transpose")
def _transpose(node: ir.Node) -> ir.Value | None:
    rank = rank_of(node.inputs[0])
    perm = attribute(node, "perm")
    if perm is None:
        return _first_if(rank is not None and rank < 2, node)
    return _first_if(list(perm) == list(range(len(perm))), node)


@rule("Reshape", "Expand", "Squeeze", "Unsqueeze", "Flatten")
def _same_shape(node: ir.Node) -> ir.Value | None:
    """Equal sizes, symbols included, leave nothing to relabel."""
    return _first_if(_equal_sizes(node.inputs[0], node.outputs[0]), node)


@rule("Slice")
def _whole(node: ir.Node) -> ir.Value | None:
    steps = constant(operand(node, 4))
    forwards = operand(node, 4) is None or (steps is not None and bool((steps == 1).all()))
    return _first_if(forwards and _equal_sizes(node.inputs[0], node.outputs[0]), node)


@rule("Pad")
def _no_pads(node: ir.Node) -> ir.Value | None:
    pads = constant(operand(node, 1))
    return _first_if(pads is not None and not pads.any(), node)


@rule("Tile")
def _once(node: ir.Node) -> ir.Value | None:
    repeats = constant(operand(node, 1))
    return _first_if(repeats is not None and bool((repeats == 1).all()), node)


@rule("Split")
def _one_part(node: ir.Node) -> ir.Value | None:
    return _first_if(len(node.outputs) == 1, node)


@rule("Mul", "Div", "Pow", "Sub")
def _neutral(node: ir.Node) -> ir.Value | None:
    """A one, or for Sub a zero; not Add, for -0.0 + 0.0 is 0.0."""
    number = 0 if node.op_type == "Sub" else 1
    for index, other in ((0, 1), (1, 0)) if node.op_type == "Mul" else ((0, 1),):
        value = node.inputs[index]
        same_type = value is not None and value.dtype == node.outputs[0].dtype
        if same_type and scalar(node.inputs[other]) == number and _equal_sizes(value, node.outputs[0]):
            return value
    return None


@rule("Where")
def _decided(node: ir.Node) -> ir.Value | None:
    flags = constant(node.inputs[0])
    if flags is None or not flags.size or flags.any() != flags.all():
        return None
    value = node.inputs[1] if flags.all() else node.inputs[2]
    return value if _equal_sizes(value, node.outputs[0]) else None


@rule("DepthToSpace", "SpaceToDepth")
def _block_of_one(node: ir.Node) -> ir.Value | None:
    return _first_if(attribute(node, "blocksize") == 1, node)


@rule("Resize")
def _same_size(node: ir.Node) -> ir.Value | None:
    """Sampling at the pixels themselves; cropping moves them."""
    shape = static_shape(node.inputs[0])
    scales = constant(operand(node, 2))
    if attribute(node, "coordinate_transformation_mode") == "tf_crop_and_resize":
        return None
    if scales is not None and scales.size and not (scales == 1).all():
        return None
    return _first_if(shape is not None and shape == static_shape(node.outputs[0]), node)


def _equal_sizes(a: ir.Value | None, b: ir.Value) -> bool:
    sizes = dims(a)
    return sizes is not None and None not in sizes and sizes == dims(b)
