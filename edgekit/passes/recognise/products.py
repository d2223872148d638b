"""A value as a product of other values and one number."""

from __future__ import annotations

from dataclasses import dataclass, field

import onnx_ir as ir

from edgekit.passes.edit import dims, is_constant, only_consumer, scalar


@dataclass(slots=True)
class Product:
    """`number * factors[0] * factors[1] * ...`.

    Attributes:
        number: Product of all constant scalars.
        factors: The values multiplied, a square counted twice.
        nodes: The nodes that do the multiplication; their results have no other reader.
    """

    number: float = 1.0
    factors: list[ir.Value] = field(default_factory=list)
    nodes: list[ir.Node] = field(default_factory=list)


def product_of(value: ir.Value) -> Product:
    """Takes a value apart along Mul, Div by a constant and Pow with a small whole exponent.

    Args:
        value: The value; its producer is always looked into, others only when nothing else reads them.

    Returns:
        The product; the value itself is the only factor when it is none.
    """
    found = Product()
    _collect(value, found, root=True)
    return found


def _collect(value: ir.Value, found: Product, *, root: bool) -> None:
    node = value.producer()
    if node is None or node.domain or not (root or only_consumer(value) is not None):
        found.factors.append(value)
        return
    if node.op_type == "Mul" and _keeps_shape(node):
        found.nodes.append(node)
        for operand in node.inputs:
            assert operand is not None
            number = _number(operand)
            if number is not None:
                found.number *= number
            else:
                _collect(operand, found, root=False)
        return
    number = _number(node.inputs[1]) if node.op_type in ("Div", "Pow") else None
    first = node.inputs[0] if node.inputs else None
    if first is not None and number and node.op_type == "Div" and _keeps_shape(node):
        found.nodes.append(node)
        found.number /= number
        _collect(first, found, root=False)
    elif first is not None and node.op_type == "Pow" and number in (2.0, 3.0) and _keeps_shape(node):
        found.nodes.append(node)
        found.factors += [first] * int(number)
    else:
        found.factors.append(value)


def _keeps_shape(node: ir.Node) -> bool:
    """Scalars of rank 0 or 1 do not add axes; other operands must have the shape of the result."""
    result = dims(node.outputs[0])
    if result is None:
        return False
    for operand in node.inputs:
        sizes = dims(operand)
        if is_constant(operand) and _number(operand) is not None:
            if sizes is None or len(sizes) > len(result):
                return False
        elif sizes != result:
            return False
    return True


def _number(value: ir.Value | None) -> float | None:
    found = scalar(value)
    return None if found is None else float(found)


def close(a: float, b: float) -> bool:
    """Tells whether two numbers are the same but for rounding to float32 or its decimal print."""
    return abs(a - b) <= 2e-5 * abs(b)
