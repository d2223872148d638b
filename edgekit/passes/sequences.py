"""Resolves sequences whose elements are known: exporters split through them, and few backends have them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from edgekit.passes.edit import (
    Maker,
    all_graphs,
    attribute,
    constant,
    dims,
    operand,
    producer,
    rank_of,
    scalar,
)
from edgekit.passes.inference import infer
from edgekit.passes.report import PassReport
from edgekit.passes.upgrade import target_opset

NAME = "sequences"


def call(model: ir.Model) -> PassReport:
    """Replaces reads of sequences by the tensors that were put in; the makers are left to dead-code.

    Args:
        model: Changed in place; types must be inferred.

    Returns:
        How many reads were resolved.
    """
    count = 0
    for graph in tuple(all_graphs(model.graph)):
        for node in tuple(graph):
            if node.domain:
                continue
            if node.op_type == "SequenceAt":
                count += _at(node)
            elif node.op_type == "SequenceLength":
                count += _length(node)
            elif node.op_type == "ConcatFromSequence":
                count += _concat(node)
    return PassReport(NAME, count, f"resolved {count} reads of sequences")


def _at(node: ir.Node) -> bool:
    index = scalar(node.inputs[1])
    if index is None:
        return False
    elements = _elements(node, node.inputs[0], only=int(index))
    if elements is None:
        return False
    maker, element = elements
    _replace(maker, maker.op("Identity", element[0]))
    return True


def _length(node: ir.Node) -> bool:
    count = _count(node.inputs[0])
    if count is None:
        return False
    maker = Maker(node)
    _replace(maker, maker.op("Identity", maker.const(np.asarray(count, np.int64), hint="length")))
    return True


def _concat(node: ir.Node) -> bool:
    elements = _elements(node, node.inputs[0])
    if elements is None:
        return False
    maker, parts = elements
    axis = int(attribute(node, "axis"))
    if attribute(node, "new_axis", 0):
        ranks = {rank_of(part) for part in parts}
        if len(ranks) != 1 or None in ranks:
            return False
        parts = [maker.op("Unsqueeze", part, maker.ints([axis])) for part in parts]
    _replace(maker, maker.op("Concat", *parts, axis=axis))
    return True


def _replace(maker: Maker, value: ir.Value) -> None:
    """Puts a value in the place of the node's output; what was made on the way to it gets its types."""
    for made in maker.made:
        for output, found in zip(made.outputs, infer(made, target_opset()), strict=True):
            output.type = found.type
            output.shape = None if found.shape is None else ir.Shape(found.shape)
    maker.replace(value)


def _count(sequence: ir.Value | None) -> int | None:
    """Returns how many elements a sequence has, where that is known."""
    if (made := producer(sequence, "SequenceConstruct")) is not None:
        return len(made.inputs)
    split = producer(sequence, "SplitToSequence")
    sizes = None if split is None else _sizes(split)
    return None if sizes is None else len(sizes)


def _elements(
    node: ir.Node, sequence: ir.Value | None, only: int | None = None
) -> tuple[Maker, list[ir.Value]] | None:
    """Returns the elements of a sequence, or one of them, as tensors made in front of a node."""
    count = _count(sequence)
    if count is None or not count or (only is not None and not -count <= only < count):
        return None
    wanted = range(count) if only is None else [only % count]
    construct = producer(sequence, "SequenceConstruct")
    if construct is not None:
        inputs = [construct.inputs[i] for i in wanted]
        elements = [v for v in inputs if v is not None]
        return (Maker(node, construct), elements) if len(elements) == len(inputs) else None
    split = producer(sequence, "SplitToSequence")
    assert split is not None
    maker = Maker(node, split)
    return maker, [_part(maker, split, index) for index in wanted]


def _sizes(split: ir.Node) -> Sequence[int] | None:
    """Returns the sizes of the parts; `None` unless they and the axis are known and fit."""
    shape = dims(split.inputs[0])
    axis = int(attribute(split, "axis", 0))
    whole = None if shape is None or not -len(shape) <= axis < len(shape) else shape[axis]
    if not isinstance(whole, int):
        return None
    if operand(split, 1) is None:
        return [1] * whole
    stated = constant(split.inputs[1])
    if stated is None:
        return None
    if stated.ndim:
        sizes = [int(s) for s in stated]
        return sizes if sum(sizes) == whole and min(sizes, default=0) >= 0 else None
    step = int(stated)
    return [min(step, whole - start) for start in range(0, whole, step)] if step > 0 else None


def _part(maker: Maker, split: ir.Node, index: int) -> ir.Value:
    sizes = _sizes(split)
    assert sizes is not None
    axis, start = int(attribute(split, "axis", 0)), sum(sizes[:index])
    bounds = (maker.ints([v]) for v in (start, start + sizes[index], axis))
    part = maker.op("Slice", split.inputs[0], *bounds)
    if operand(split, 1) is None and not attribute(split, "keepdims", 1):
        part = maker.op("Squeeze", part, maker.ints([axis]))
    return part
