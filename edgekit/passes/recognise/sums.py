"""A value as another value plus a number."""

from __future__ import annotations

import onnx_ir as ir

from edgekit.passes.edit import dims, producer, scalar


def plus_number(value: ir.Value | None) -> tuple[ir.Value, float] | None:
    """Reads `x + c` or `c + x` with a constant scalar.

    Args:
        value: The sum.

    Returns:
        `x` and the number, or `None` when the value is something else.
    """
    node = producer(value, "Add")
    if node is None:
        return None
    for x, other in (node.inputs, reversed(node.inputs)):
        number = scalar(other)
        if x is not None and number is not None and dims(x) == dims(node.outputs[0]):
            return x, float(number)
    return None
