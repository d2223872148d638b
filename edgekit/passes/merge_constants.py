"""Makes one of two multiplications, or two additions, by constants in a row."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from edgekit.passes.affine import FLOATS
from edgekit.passes.edit import Maker, all_graphs, constant, drop, only_consumer, producer
from edgekit.passes.report import PassReport
from edgekit.passes.rounding import fits

NAME = "merge-constants"


def call(model: ir.Model) -> PassReport:
    """Merges along chains, from the front; in float64, rounded once.

    Args:
        model: Changed in place; types must be inferred.

    Returns:
        How many nodes were merged into their successor.
    """
    count = 0
    for graph in tuple(all_graphs(model.graph)):
        for node in tuple(graph):
            if node.op_type in ("Mul", "Add") and not node.domain and node.outputs[0].dtype in FLOATS:
                count += _merge(node)
    return PassReport(NAME, count, f"merged {count} nodes into their successor")


def _merge(node: ir.Node) -> bool:
    outer = _split(node)
    before = None if outer is None else producer(outer[0], node.op_type)
    inner = None if before is None else _split(before)
    if outer is None or before is None or inner is None:
        return False
    if only_consumer(before.outputs[0]) is not node or before.graph is not node.graph:
        return False
    a, b = inner[1].astype(np.float64), outer[1].astype(np.float64)
    with np.errstate(all="ignore"):
        merged = a * b if node.op_type == "Mul" else a + b
    if merged.size > max(a.size, b.size) or not fits(merged, inner[1].dtype):
        return False
    maker = Maker(node, before)
    maker.replace(maker.op(node.op_type, inner[0], maker.const(merged, inner[1].dtype, "constant")))
    drop(before)
    return True


def _split(node: ir.Node) -> tuple[ir.Value, np.ndarray] | None:
    """Returns the computed operand and the constant one."""
    for value, other in (node.inputs, tuple(reversed(node.inputs))):
        array = constant(other)
        if value is not None and array is not None:
            return value, array
    return None
