"""Rules on quantisation."""

from __future__ import annotations

from edgekit.compat.facts import Facts
from edgekit.compat.finding import Finding, fails
from edgekit.compat.rules.registry import rule


@rule("quantised")
def quantised(op: Facts, *, of: str = "feature-maps") -> Finding | None:
    """{of} must carry quantisation parameters"""
    if any(op.quant(v) is None for v in op.tensors(of)):
        return fails("a tensor without a scale")
    return None


@rule("per-tensor")
def per_tensor(op: Facts, *, of: str = "feature-maps") -> Finding | None:
    """{of} must have one scale for the whole tensor"""
    for value in op.tensors(of):
        quant = op.quant(value)
        if quant is not None and len(quant.scale) > 1:
            return fails(f"{len(quant.scale)} scales along axis {quant.axis}")
    return None
