"""Rules on quantisation."""

from __future__ import annotations

import math

from edgekit.compat.facts import Facts
from edgekit.compat.finding import Finding, fails, unknown
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


@rule("zero-point-is")
def zero_point_is(op: Facts, *, of: str, value: int = 0) -> Finding | None:
    """zero point of {of} must be {value}"""
    for tensor in op.tensors(of):
        quant = op.quant(tensor)
        if quant is not None and any(z != value for z in quant.zero_point):
            return fails(f"zero point {next(z for z in quant.zero_point if z != value)}")
    return None


@rule("scale-power-of-two")
def scale_power_of_two(op: Facts, *, of: str = "all") -> Finding | None:
    """scale of {of} must be a power of two"""
    for tensor in op.tensors(of):
        quant = op.quant(tensor)
        wrong = [] if quant is None else [s for s in quant.scale if math.frexp(s)[0] != 0.5]
        if wrong:
            return fails(f"scale {wrong[0]:g}")
    return None


@rule("scales-positive")
def scales_positive(op: Facts, *, of: str = "all") -> Finding | None:
    """every scale of {of} must be positive"""
    for tensor in op.tensors(of):
        quant = op.quant(tensor)
        if quant is not None and any(not s > 0 for s in quant.scale):
            return fails(f"scale {min(quant.scale):g}")
    return None


@rule("same-quantisation")
def same_quantisation(op: Facts) -> Finding | None:
    """scale and zero point of the result must be those of every feature map that goes in"""
    if op.ofm is None:
        return unknown("the result")
    result = op.quant(op.ofm)
    different = [q for q in map(op.quant, op.ifms) if q != result]
    return fails("they differ") if different else None
