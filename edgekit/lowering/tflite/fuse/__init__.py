"""Fusions on the ledger: TFLite ops that absorb their neighbours, one file per fusion."""

from __future__ import annotations

from edgekit.lowering.ledger import Subgraph
from edgekit.lowering.tflite.fuse.activation import fuse_activations


def fuse(graph: Subgraph) -> Subgraph:
    """Applies every fusion; all are exact.

    Args:
        graph: A graph in its final layout.

    Returns:
        The graph with fewer ops.
    """
    return fuse_activations(graph)


__all__ = ["fuse"]
