"""Decompositions: one node as a small stand-alone graph of simpler ops."""

from __future__ import annotations

import onnx_ir as ir


def expand(node: ir.Node) -> ir.Model | None:
    """Replaces a node by a small graph that computes the same.

    First choice is our own table, then the ONNX function body of the op. Known constant inputs become
    initializers of the graph, so that shape arithmetic in it is folded.

    Args:
        node: A node of a prepared model (newest opset, typed inputs).

    Returns:
        A prepared model of its own. Its graph inputs are the node's non-constant inputs in the node's order,
        each named as in the node; its outputs are the node's outputs in the node's order with the
        node's names (omitted outputs are left out). `None` when no decomposition exists. Its nodes have no origin:
        who splices them in gives them the origin of the node.
    """
    raise NotImplementedError
