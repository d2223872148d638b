"""MatMul of two matrices followed by adding a bias is a Gemm."""

from __future__ import annotations

import onnx_ir as ir

from edgekit.passes.affine import FLOATS
from edgekit.passes.edit import Maker, all_graphs, dims, only_consumer, producer, rank_of
from edgekit.passes.report import PassReport

NAME = "fuse-gemm"


def call(model: ir.Model) -> PassReport:
    """Fuses where both operands are matrices and the bias broadcasts to the product.

    Args:
        model: Changed in place; types must be inferred.

    Returns:
        How many pairs were fused.
    """
    count = 0
    for graph in tuple(all_graphs(model.graph)):
        for node in tuple(graph):
            if node.op_type == "Add" and not node.domain:
                count += _fuse(node)
    return PassReport(NAME, count, f"fused {count} MatMul and Add")


def _fuse(node: ir.Node) -> bool:
    for product, bias in (node.inputs, tuple(reversed(node.inputs))):
        before = producer(product, "MatMul")
        if before is None or product is None or bias is None or product is bias:
            continue
        if (
            only_consumer(product) is not node
            or before.graph is not node.graph
            or product.dtype not in FLOATS
        ):
            continue
        if any(rank_of(v) != 2 for v in before.inputs) or not _broadcasts(bias, product):
            continue
        maker = Maker(node, before)
        maker.replace(maker.op("Gemm", *before.inputs, bias))
        assert before.graph is not None
        before.graph.remove(before, safe=True)
        return True
    return False


def _broadcasts(bias: ir.Value, product: ir.Value) -> bool:
    sizes, wanted = dims(bias), dims(product)
    if sizes is None or wanted is None or len(sizes) > 2:
        return False
    pairs = zip(reversed(sizes), reversed(wanted), strict=False)
    return all(a == 1 or (a is not None and a == b) for a, b in pairs)
