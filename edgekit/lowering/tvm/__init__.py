"""Lowering to TVM: hub IR in, ledger of kernels out, then Relax, then a shared library."""

from __future__ import annotations

from dataclasses import replace

from edgekit.ir import Model
from edgekit.lowering.driver import Expand, lower
from edgekit.lowering.ledger import Lowered
from edgekit.lowering.op import LowerOptions
from edgekit.lowering.tvm.builder import TVMBuilder
from edgekit.lowering.tvm.islands import float_islands
from edgekit.lowering.tvm.table import load_ops


def lower_tvm(model: Model, expand: Expand, options: LowerOptions | None = None) -> tuple[Lowered, bool]:
    """Lowers a prepared model to kernels.

    Args:
        model: A model in the newest opset, shapes inferred.
        expand: Gives the decomposition of a node without a lowering.
        options: What the user allows and wants.

    Returns:
        The ledger, whose diagnostics hold the refusals and what of a quantised model stays in float; and
        whether ops compute on integers that stand for reals.
    """
    load_ops()
    builder = TVMBuilder()
    lowered = lower(model, builder, expand, options)
    required = options is not None and options.require_full_integer
    found = float_islands(model, builder, required=required)
    return replace(lowered, diagnostics=(*lowered.diagnostics, *found)), bool(builder.integers)


__all__ = ["lower_tvm"]
