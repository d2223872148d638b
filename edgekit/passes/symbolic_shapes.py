"""Shapes that follow from elements known only as symbols, and the constants that can stand for them."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from edgekit.ir.spec import Dim
from edgekit.passes.edit import attribute, constant, new_initializer, operand
from edgekit.passes.symbolic import Element, Elements, Symbols, divide, multiply, objects, product


def refine(node: ir.Node, symbols: Symbols) -> tuple[Dim, ...] | None:
    """Infers the shape of the only output of an op whose shape is given by elements of an input.

    Args:
        node: Any node.
        symbols: What is known of elements.

    Returns:
        The sizes, with fresh names for unknown ones, or `None` when there is no rule or no knowledge.
    """
    function = None if node.domain else _RULES.get(node.op_type)
    elements = None if function is None else function(node, symbols)
    return None if elements is None else tuple(symbols.dim(e) for e in elements)


def _reshape(node: ir.Node, symbols: Symbols) -> Elements | None:
    data, target = symbols.shape(node.inputs[0]), symbols.known(node.inputs[1])
    if target is None or target.ndim != 1:
        return None
    sizes = target.copy()
    if not attribute(node, "allowzero", 0):
        for axis, size in enumerate(target):
            if size == 0 and isinstance(size, int):
                sizes[axis] = data[axis] if data is not None and axis < data.size else None
    open_axes = [axis for axis, size in enumerate(sizes) if size == -1 and isinstance(size, int)]
    if len(open_axes) == 1:
        rest = product(np.delete(sizes, open_axes[0]))
        sizes[open_axes[0]] = None if data is None else divide(product(data), rest)
    return sizes


def _expand(node: ir.Node, symbols: Symbols) -> Elements | None:
    data, target = symbols.shape(node.inputs[0]), symbols.known(node.inputs[1])
    if data is None or target is None or target.ndim != 1:
        return None
    rank = max(data.size, target.size)
    left = np.concatenate([np.full(rank - data.size, 1, object), data])
    right = np.concatenate([np.full(rank - target.size, 1, object), target])
    return objects([_broadcast(a, b) for a, b in zip(left, right, strict=True)])


def _broadcast(a: Element, b: Element) -> Element:
    if a == b or b == 1:
        return a
    if a == 1 or (isinstance(b, int) and b > 1):
        return b
    return a if isinstance(a, int) and a > 1 else None


def _constant_of_shape(node: ir.Node, symbols: Symbols) -> Elements | None:
    return symbols.known(node.inputs[0])


def _tile(node: ir.Node, symbols: Symbols) -> Elements | None:
    data, repeats = symbols.shape(node.inputs[0]), symbols.known(node.inputs[1])
    if data is None or repeats is None or data.size != repeats.size:
        return None
    return objects([multiply(a, b) for a, b in zip(data, repeats, strict=True)])


def _slice(node: ir.Node, symbols: Symbols) -> Elements | None:
    """Sizes of axes that are taken whole or by constant bounds."""
    data, starts, ends = (
        symbols.shape(node.inputs[0]),
        constant(node.inputs[1]),
        symbols.known(node.inputs[2]),
    )
    axes, steps = (constant(operand(node, i)) for i in (3, 4))
    if data is None or starts is None or ends is None:
        return None
    if (operand(node, 3) is not None and axes is None) or (operand(node, 4) is not None and steps is None):
        return None
    sizes = data.copy()
    for k, end in enumerate(ends):
        axis = int(axes[k]) % data.size if axes is not None else k
        step = 1 if steps is None else int(steps[k])
        sizes[axis] = _sliced(data[axis], int(starts[k]), end, step)
    return sizes


def _sliced(size: Element, start: int, end: Element, step: int) -> Element:
    if isinstance(size, int) and isinstance(end, int):
        return len(range(*slice(start, None if step < 0 and end < -size else end, step).indices(size)))
    whole = end == size or (isinstance(end, int) and end >= np.iinfo(np.int32).max)
    return size if start == 0 and step == 1 and whole else None


def _resize(node: ir.Node, symbols: Symbols) -> Elements | None:
    """Sizes that are given, or whole multiples; rounding is left to ONNX's own inference."""
    data = symbols.shape(node.inputs[0])
    if data is None or attribute(node, "keep_aspect_ratio_policy", "stretch") != "stretch":
        return None
    axes = [int(a) % data.size for a in attribute(node, "axes", None) or range(data.size)]
    scales, sizes = constant(operand(node, 2)), symbols.known(operand(node, 3))
    result = data.copy()
    if sizes is not None and sizes.size == len(axes):
        result[axes] = sizes
    elif scales is not None and scales.size == len(axes) and (scales == scales.astype(int)).all():
        result[axes] = [multiply(data[a], int(s)) for a, s in zip(axes, scales, strict=True)]
    else:
        return None
    return result


_RULES = {
    "Resize": _resize,
    "Reshape": _reshape,
    "Expand": _expand,
    "ConstantOfShape": _constant_of_shape,
    "Tile": _tile,
    "Slice": _slice,
}


def bind_reshape_target(node: ir.Node, symbols: Symbols) -> bool:
    """Gives a Reshape a constant target where one is provably the same as the computed one.

    Sizes equal to the input's at the same axis become 0 (copied); one further unknown size becomes -1.

    Args:
        node: A Reshape of the newest opset.
        symbols: What is known of elements.

    Returns:
        Whether the target was replaced.
    """
    shape_input = node.inputs[1]
    target = symbols.known(shape_input)
    if target is None or target.ndim != 1 or constant(shape_input) is not None or node.graph is None:
        return False
    sizes = _constant_target(target, symbols.shape(node.inputs[0]), bool(attribute(node, "allowzero", 0)))
    if sizes is None or not isinstance(node.graph, ir.Graph):
        return False
    name = f"{node.outputs[0].name}:shape"
    node.replace_input_with(1, new_initializer(node.graph, np.array(sizes, np.int64), name))
    return True


def _constant_target(target: Elements, data: Elements | None, allow_zero: bool) -> list[int] | None:
    unknown = [axis for axis, size in enumerate(target) if not isinstance(size, int)]
    integers = [size for size in target if isinstance(size, int)]
    if 0 in integers and allow_zero:
        return None
    sizes = [size if isinstance(size, int) else -1 for size in target]
    if len(unknown) + integers.count(-1) > 1:
        if data is None or allow_zero:
            return None
        for axis in unknown:
            if target[axis] is not None and axis < data.size and target[axis] == data[axis]:
                sizes[axis] = 0
    return sizes if sizes.count(-1) <= 1 else None
