"""The ledger under its name among the lowerings; see `edgekit.ir.ledger`."""

from __future__ import annotations

from edgekit.ir.ledger import Emitted, Lowered, Shape, Subgraph, TensorMap, Value

__all__ = ["Emitted", "Lowered", "Shape", "Subgraph", "TensorMap", "Value"]
