"""Decompositions: one node as a small stand-alone graph of simpler ops."""

from __future__ import annotations

import onnx_ir as ir


def expand(node: ir.Node) -> ir.Model | None:
    """Replaces a node by a small graph that computes the same.

    First choice is our own table, then the ONNX function body of the op. Known constant inputs are
    constants of the graph as well, so that shape arithmetic in it is folded.

    Args:
        node: A node of a prepared model (newest opset, typed inputs).

    Returns:
        A prepared model of its own, or `None` when no decomposition exists. Its graph has one input for
        each input of the node and one output for each output of the node, in order, those that the node
        leaves out included (such inputs are not used in it). Its nodes have no origin: who splices them
        in gives them the origin of the node.
    """
    raise NotImplementedError
