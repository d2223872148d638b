"""PRelu with one slope is a LeakyRelu; with one per channel it is made of two Relus."""

from __future__ import annotations

import onnx_ir as ir

from edgekit.compat.advice.table import Claim, advises
from edgekit.passes.edit import Maker, constant, operand


@advises(
    "PRelu",
    name="prelu-to-relu",
    what="PRelu becomes LeakyRelu, or Relu(x) - slope * Relu(-x) where channels differ",
    claim=Claim.EXACT,
)
def to_relu(maker: Maker) -> bool:
    """Needs constant slopes. Each element is one of the two terms, the other is 0: nothing is rounded."""
    node = maker.node
    x, slope = node.inputs[0], constant(operand(node, 1))
    if x is None or slope is None or x.dtype != ir.DataType.FLOAT:
        return False
    if slope.size == 1:
        maker.replace(maker.op("LeakyRelu", x, alpha=float(slope.reshape(-1)[0])))
        return True
    negative = maker.op("Relu", maker.op("Neg", x))
    scaled = maker.op("Mul", negative, maker.const(slope, x.dtype, "slope"))
    maker.replace(maker.op("Sub", maker.op("Relu", x), scaled))
    return True
