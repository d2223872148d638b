"""Lowering to TVM: hub IR in, ledger of kernels out, then Relax, then a shared library."""

from __future__ import annotations

from edgekit.ir import Model
from edgekit.lowering.driver import Expand, lower
from edgekit.lowering.ledger import Lowered
from edgekit.lowering.op import LowerOptions
from edgekit.lowering.tvm.builder import TVMBuilder
from edgekit.lowering.tvm.table import load_ops


def lower_tvm(model: Model, expand: Expand, options: LowerOptions | None = None) -> Lowered:
    """Lowers a prepared model to kernels.

    Args:
        model: A model in the newest opset, shapes inferred.
        expand: Gives the decomposition of a node without a lowering.
        options: What the user allows and wants.

    Returns:
        The ledger; its diagnostics hold the refusals.
    """
    load_ops()
    return lower(model, TVMBuilder(), expand, options)


__all__ = ["lower_tvm"]
