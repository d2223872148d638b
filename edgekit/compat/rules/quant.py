"""Rules on quantisation."""

from __future__ import annotations

from edgekit.compat.facts import Facts
from edgekit.compat.finding import Finding, fails
from edgekit.compat.rules.registry import rule


@rule("quantised")
def quantised(op: Facts, *, of: str = "feature-maps", but: tuple[str, ...] = ()) -> Finding | None:
    """{of} must carry quantisation parameters (dtypes that need none: {but})"""
    bare = [v for v in op.tensors(of) if op.quant(v) is None and op.dtype(v) not in but]
    return fails(f"a tensor of {op.dtype(bare[0])} without a scale") if bare else None


@rule("per-tensor")
def per_tensor(op: Facts, *, of: str = "feature-maps") -> Finding | None:
    """{of} must have one scale for the whole tensor"""
    for value in op.tensors(of):
        quant = op.quant(value)
        if quant is not None and len(quant.scale) > 1:
            return fails(f"{len(quant.scale)} scales along axis {quant.axis}")
    return None


@rule("same-quantisation")
def same_quantisation(op: Facts, *, of: str = "feature-maps") -> Finding | None:
    """{of} must all have the same scale and zero point"""
    kinds = {op.quant(v) for v in op.tensors(of)}
    if len(kinds) > 1:
        scales = sorted({f"{q.scale[0]:.4g} ({q.zero_point[0]})" for q in kinds if q is not None})
        return fails(f"scales and zero points {', '.join(scales)}")
    return None


@rule("zero-point-range")
def zero_point_range(
    op: Facts, *, of: str = "feature-maps", dtypes: tuple[str, ...], low: int = 0, high: int
) -> Finding | None:
    """zero points of {of} of dtype {dtypes} must be in [{low}, {high}]"""
    for value in op.tensors(of):
        quant = op.quant(value)
        if quant is None or op.dtype(value) not in dtypes:
            continue
        odd = [z for z in quant.zero_point if not low <= z <= high]
        if odd:
            return fails(f"zero point {odd[0]} of {op.dtype(value)}")
    return None


@rule("scale-below")
def scale_below(op: Facts, *, of: str = "all", high: float) -> Finding | None:
    """scales of {of} tensors must be less than {high}"""
    for value in op.tensors(of):
        quant = op.quant(value)
        if quant is not None and max(quant.scale) >= high:
            return fails(f"scale {max(quant.scale):.4g}")
    return None
