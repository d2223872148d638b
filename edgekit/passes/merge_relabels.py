"""Makes one of two nodes in a row that only relabel axes: Transpose, and Reshape and its kin."""

from __future__ import annotations

import onnx_ir as ir

from edgekit.passes.edit import (
    Maker,
    absorb,
    all_graphs,
    attribute,
    dims,
    only_consumer,
    producer,
)
from edgekit.passes.report import PassReport

NAME = "merge-relabels"
RESHAPES = ("Reshape", "Flatten", "Squeeze", "Unsqueeze")


def call(model: ir.Model) -> PassReport:
    """Merges along chains, from the front.

    Args:
        model: Changed in place; types must be inferred.

    Returns:
        How many nodes were merged into their successor.
    """
    count = 0
    for graph in tuple(all_graphs(model.graph)):
        for node in tuple(graph):
            if node.domain:
                continue
            if node.op_type == "Transpose":
                count += _transposes(node)
            elif node.op_type in RESHAPES:
                count += _reshapes(node)
    return PassReport(NAME, count, f"merged {count} nodes into their successor")


def _transposes(node: ir.Node) -> bool:
    before = producer(node.inputs[0], "Transpose")
    if before is None:
        return False
    first, second = attribute(before, "perm"), attribute(node, "perm")
    if first is None or second is None:
        rank = len(dims(node.inputs[0]) or ())
        first, second = (p if p is not None else tuple(reversed(range(rank))) for p in (first, second))
    if len(first) != len(second) or not first:
        return False
    node.attributes["perm"] = ir.AttrInt64s("perm", [first[axis] for axis in second])
    node.replace_input_with(0, before.inputs[0])
    absorb(node, before)
    return True


def _reshapes(node: ir.Node) -> bool:
    before = producer(node.inputs[0], *RESHAPES)
    if before is None or only_consumer(before.outputs[0]) is not node:
        return False
    target = constant_target(node.outputs[0])
    if target is None:
        return False
    maker = Maker(node, before)
    maker.replace(maker.op("Reshape", before.inputs[0], maker.ints(target, "shape")))
    return True


def constant_target(value: ir.Value) -> list[int] | None:
    """Returns a Reshape target for the shape of a value, with -1 for its only dynamic size, or `None`."""
    sizes = dims(value)
    if sizes is None or 0 in sizes or sum(not isinstance(d, int) for d in sizes) > 1:
        return None
    return [d if isinstance(d, int) else -1 for d in sizes]
