"""LayerNormalization: `(x - mean) / sqrt(mean((x - mean)**2) + epsilon) * scale + bias`, trailing axes."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgekit.ir.spec import Dim
from edgekit.passes.edit import attribute, constant, dims, only_consumer, operand, producer, rank_of
from edgekit.passes.recognise.match import Match
from edgekit.passes.recognise.products import product_of
from edgekit.passes.recognise.sums import plus_number


def match(node: ir.Node) -> Match | None:
    """Looks for the pattern that ends in the Add of the bias, or in the Mul with the scale."""
    if node.op_type not in ("Add", "Mul"):
        return None
    scaled, bias = node, None
    if node.op_type == "Add":
        found = _with_constant(node)
        inner = None if found is None else producer(found[0], "Mul")
        if found is None or inner is None or only_consumer(inner.outputs[0]) is not node:
            return None
        scaled, bias = inner, found[1]
    elif _bias_follows(node):
        return None  # the Add is the end of the pattern
    parts = _with_constant(scaled)
    core = None if parts is None else _normalised(parts[0])
    if parts is None or core is None:
        return None
    x, axis, epsilon, nodes = core
    normal = _static((dims(x) or ())[axis:])
    scale, shift = (_broadcast(a, normal) for a in (parts[1], bias))
    if normal is None or scale is None or (bias is not None and shift is None):
        return None
    operands = (x, scale) if shift is None else (x, scale, shift)
    nodes = nodes if scaled is node else [*nodes, scaled]
    return Match("LayerNormalization", operands, {"axis": axis, "epsilon": epsilon}, nodes)


def _static(sizes: tuple[Dim, ...]) -> tuple[int, ...] | None:
    known = tuple(d for d in sizes if isinstance(d, int))
    return known if known and len(known) == len(sizes) else None


def _bias_follows(node: ir.Node) -> bool:
    reader = only_consumer(node.outputs[0])
    return reader is not None and reader.op_type == "Add" and _with_constant(reader) is not None


def _with_constant(node: ir.Node) -> tuple[ir.Value, NDArray[Any]] | None:
    for x, other in (node.inputs, reversed(node.inputs)):
        array = constant(other)
        if x is not None and array is not None and x.producer() is not None:
            return x, array
    return None


def _broadcast(array: NDArray[Any] | None, shape: tuple[int, ...] | None) -> NDArray[Any] | None:
    if array is None or shape is None or array.ndim > len(shape) or array.shape != shape[-array.ndim :]:
        return None
    return np.broadcast_to(array, shape)


def _normalised(value: ir.Value) -> tuple[ir.Value, int, float, list[ir.Node]] | None:
    """Reads `d / sqrt(mean(d * d) + epsilon)` with `d = x - mean(x)`."""
    division = producer(value, "Div")
    root = None if division is None else producer(division.inputs[1], "Sqrt")
    total = None if root is None else plus_number(root.inputs[0])
    variance = None if total is None else producer(total[0], "ReduceMean")
    if division is None or root is None or total is None or variance is None or division.inputs[0] is None:
        return None
    deviation = division.inputs[0]
    square = product_of(variance.inputs[0]) if variance.inputs[0] is not None else None
    minus = producer(deviation, "Sub")
    mean = None if minus is None else producer(minus.inputs[1], "ReduceMean")
    if (
        square is None
        or square.factors != [deviation] * 2
        or square.number != 1
        or minus is None
        or mean is None
    ):
        return None
    x, axis = minus.inputs[0], _trailing_axis(mean)
    if x is None or mean.inputs[0] is not x or axis is None or axis != _trailing_axis(variance):
        return None
    shift = root.inputs[0].producer() if root.inputs[0] is not None else None
    nodes = [division, root, variance, minus, mean, *square.nodes]
    return x, axis, total[1], [*nodes, *([shift] if shift is not None else [])]


def _trailing_axis(reduction: ir.Node) -> int | None:
    """Returns the first of the reduced axes when they are the last ones and are kept."""
    axes, rank = constant(operand(reduction, 1)), rank_of(reduction.inputs[0])
    if axes is None or rank is None or not axes.size or not attribute(reduction, "keepdims", 1):
        return None
    found = sorted(int(a) % rank for a in axes)
    return found[0] if found == list(range(rank - len(found), rank)) else None
