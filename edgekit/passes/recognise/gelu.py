"""Gelu, exact `x / 2 * (1 + erf(x / sqrt(2)))` or with tanh, in any order of the factors."""

from __future__ import annotations

import math

import onnx_ir as ir

from edgekit.passes.edit import producer
from edgekit.passes.recognise.match import Match
from edgekit.passes.recognise.products import close, product_of
from edgekit.passes.recognise.sums import plus_number

SLOPE = math.sqrt(2 / math.pi)
CUBIC = 0.044715
"""Constants of the approximation by Hendrycks and Gimpel, as in the definition of Gelu."""


def match(node: ir.Node) -> Match | None:
    """Looks for the pattern that ends in a Mul or Div."""
    if node.op_type not in ("Mul", "Div"):
        return None
    product = product_of(node.outputs[0])
    if len(product.factors) != 2 or not close(product.number, 0.5):
        return None
    for x, gate in (product.factors, reversed(product.factors)):
        inner = plus_number(gate)
        if inner is None or inner[1] != 1.0:
            continue
        curve = producer(inner[0], "Erf", "Tanh")
        gate_node = gate.producer()
        if curve is None or gate_node is None or curve.inputs[0] is None:
            continue
        exact = curve.op_type == "Erf"
        if (_is_scaled if exact else _is_cubic)(curve.inputs[0], x):
            kind = {} if exact else {"approximate": "tanh"}
            return Match("Gelu", (x,), kind, [*product.nodes, gate_node, curve])
    return None


def _is_scaled(value: ir.Value, x: ir.Value) -> bool:
    """`x / sqrt(2)`."""
    product = product_of(value)
    return product.factors == [x] and close(product.number, math.sqrt(0.5))


def _is_cubic(value: ir.Value, x: ir.Value) -> bool:
    """`sqrt(2 / pi) * (x + 0.044715 * x**3)`."""
    product = product_of(value)
    total = producer(product.factors[0], "Add") if len(product.factors) == 1 else None
    if total is None or not close(product.number, SLOPE):
        return False
    for first, second in (total.inputs, reversed(total.inputs)):
        if first is x and second is not None:
            cubic = product_of(second)
            return cubic.factors == [x, x, x] and close(cubic.number, CUBIC)
    return False
