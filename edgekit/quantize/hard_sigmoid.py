"""HardSigmoid has no integer kernel; as a product, a sum and limits it has three."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from edgekit.passes.edit import Maker, attribute
from edgekit.passes.report import PassReport

NAME = "expand-hard-sigmoid"


def call(model: ir.Model) -> PassReport:
    """Writes HardSigmoid in float32 as `Clip(x * alpha + beta, 0, 1)`.

    Args:
        model: Changed in place; types must be inferred.

    Returns:
        How many were written so.
    """
    count = 0
    for node in tuple(model.graph):
        if node.op_type != "HardSigmoid" or node.domain or node.outputs[0].dtype != ir.DataType.FLOAT:
            continue
        make = Maker(node)
        alpha = make.const(np.float32(attribute(node, "alpha", 0.2)))
        beta = make.const(np.float32(attribute(node, "beta", 0.5)))
        shifted = _typed(make.op("Add", _typed(make.op("Mul", node.inputs[0], alpha), node), beta), node)
        make.replace(make.op("Clip", shifted, make.const(np.float32(0)), make.const(np.float32(1))))
        count += 1
    return PassReport(NAME, count, f"expanded {count} HardSigmoid")


def _typed(value: ir.Value, like: ir.Node) -> ir.Value:
    value.type, value.shape = like.outputs[0].type, like.outputs[0].shape
    return value
