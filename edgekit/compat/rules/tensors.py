"""Rules on tensors: dtype, rank, shape, constness."""

from __future__ import annotations

from edgekit.compat.facts import Facts
from edgekit.compat.finding import Finding, fails, unknown
from edgekit.compat.rules.judging import within, worst
from edgekit.compat.rules.registry import rule


@rule("dtype-in")
def dtype_in(op: Facts, *, of: str = "feature-maps", dtypes: tuple[str, ...]) -> Finding | None:
    """dtype of {of} must be one of {dtypes}"""
    found = [op.dtype(v) for v in op.tensors(of)]
    wrong = sorted({d for d in found if d is not None and d not in dtypes})
    if wrong:
        return fails(", ".join(wrong))
    return unknown(f"dtype of {of}") if None in found else None


@rule("dtype-not")
def dtype_not(op: Facts, *, of: str = "feature-maps", dtypes: tuple[str, ...]) -> Finding | None:
    """dtype of {of} must not be {dtypes}"""
    found = [op.dtype(v) for v in op.tensors(of)]
    wrong = sorted({d for d in found if d is not None and d in dtypes})
    if wrong:
        return fails(", ".join(wrong))
    return unknown(f"dtype of {of}") if None in found else None


@rule("static-shape")
def static_shape(op: Facts, *, of: str = "all") -> Finding | None:
    """shapes of {of} tensors must be known before the model runs"""
    for value in op.tensors(of):
        if value.static_shape is None:
            sizes = ", ".join("?" if d is None else str(d) for d in value.shape)
            return fails(f"shape [{sizes}]")
    return None


@rule("rank-range")
def rank_range(op: Facts, *, of: str = "feature-maps", low: int = 0, high: int) -> Finding | None:
    """rank of {of} must be in [{low}, {high}]"""
    return worst(within(v.rank, low, high, "rank") for v in op.tensors(of))


@rule("size-range")
def size_range(
    op: Facts, *, of: str, axis: str, low: int | None = None, high: int | None = None
) -> Finding | None:
    """size of {of} along {axis} must be in [{low}, {high}]"""
    return worst(within(op.size(v, axis), low, high, f"{axis} =") for v in op.tensors(of))


@rule("constant")
def constant(op: Facts, *, of: str) -> Finding | None:
    """{of} must be constant"""
    if any(v.data is None for v in op.tensors(of)):
        return fails("it is computed at run time")
    return None
