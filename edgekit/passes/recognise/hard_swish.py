"""`x * clip(x + 3, 0, 6) / 6`, in any order, is HardSwish."""

from __future__ import annotations

import onnx_ir as ir

from edgekit.passes.edit import attribute, operand, producer, scalar
from edgekit.passes.recognise.match import Match
from edgekit.passes.recognise.products import close, product_of
from edgekit.passes.recognise.sums import plus_number


def match(node: ir.Node) -> Match | None:
    """Looks for the pattern that ends in a Mul or Div."""
    if node.op_type not in ("Mul", "Div"):
        return None
    product = product_of(node.outputs[0])
    if len(product.factors) != 2:
        return None
    for x, gate in (product.factors, reversed(product.factors)):
        clip = producer(gate, "Clip")
        if clip is not None and close(product.number, 1 / 6) and _is_relu6_of_shifted(clip, x):
            return Match("HardSwish", (x,), {}, [*product.nodes, clip])
        sigmoid = producer(gate, "HardSigmoid")
        if sigmoid is not None and close(product.number, 1.0) and sigmoid.inputs[0] is x:
            slope, offset = attribute(sigmoid, "alpha", 0.2), attribute(sigmoid, "beta", 0.5)
            if close(slope, 1 / 6) and close(offset, 0.5):
                return Match("HardSwish", (x,), {}, [*product.nodes, sigmoid])
    return None


def _is_relu6_of_shifted(clip: ir.Node, x: ir.Value) -> bool:
    low, high = scalar(operand(clip, 1)), scalar(operand(clip, 2))
    if low is None or high is None or low != 0 or high != 6:
        return False
    shifted = plus_number(clip.inputs[0])
    return shifted is not None and shifted[0] is x and shifted[1] == 3.0
