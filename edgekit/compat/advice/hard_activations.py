"""HardSwish and HardSigmoid from ops that almost every accelerator has: Mul, Add and Clip."""

from __future__ import annotations

import onnx_ir as ir

from edgekit.compat.advice.table import Claim, advises
from edgekit.passes.edit import Maker, attribute


@advises(
    "HardSigmoid",
    "HardSwish",
    name="hard-activations-to-clip",
    what="HardSwish and HardSigmoid become Mul, Add and Clip",
    claim=Claim.ROUNDING,
    training="use ReLU6 in place of HardSwish: it is one op on every target",
)
def to_clip(maker: Maker) -> bool:
    """`clip(alpha x + beta, 0, 1)`, for HardSwish times x with alpha = 1/6 and beta = 1/2."""
    node = maker.node
    x = node.inputs[0]
    if x is None or x.dtype != ir.DataType.FLOAT:
        return False
    swish = node.op_type == "HardSwish"
    alpha = 1 / 6 if swish else attribute(node, "alpha", 0.2)
    beta = 0.5 if swish else attribute(node, "beta", 0.5)
    zero, one = maker.const(0.0, x.dtype, "zero"), maker.const(1.0, x.dtype, "one")
    scaled = maker.op("Mul", x, maker.const(alpha, x.dtype, "alpha"))
    gate = maker.op("Clip", maker.op("Add", scaled, maker.const(beta, x.dtype, "beta")), zero, one)
    maker.replace(maker.op("Mul", x, gate) if swish else gate)
    return True
