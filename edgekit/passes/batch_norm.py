"""A BatchNormalization that could not be folded becomes a multiplication and an addition."""

from __future__ import annotations

import onnx_ir as ir

from edgekit.passes.affine import affine_of
from edgekit.passes.edit import Maker, all_graphs, rank_of
from edgekit.passes.report import PassReport

NAME = "batch-norm"


def call(model: ir.Model) -> PassReport:
    """Rewrites those in inference mode with constant parameters.

    Args:
        model: Changed in place; types must be inferred.

    Returns:
        How many were rewritten.
    """
    count = 0
    for graph in tuple(all_graphs(model.graph)):
        for node in tuple(graph):
            if node.op_type == "BatchNormalization" and not node.domain:
                count += _rewrite(node)
    return PassReport(NAME, count, f"wrote {count} as multiplication and addition")


def _rewrite(node: ir.Node) -> bool:
    affine, rank = affine_of(node, 1), rank_of(node.inputs[0])
    if affine is None or rank is None:
        return False
    maker = Maker(node)
    shape = (-1, *(1,) * (rank - 2))
    dtype = affine.x.dtype
    scaled = maker.op("Mul", affine.x, maker.const(affine.scale.reshape(shape), dtype, "scale"))
    scaled.type, scaled.shape = node.outputs[0].type, node.outputs[0].shape
    maker.replace(maker.op("Add", scaled, maker.const(affine.shift.reshape(shape), dtype, "shift")))
    return True
