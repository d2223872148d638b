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


@rule("outer-size-open")
def outer_size_open(op: Facts, *, of: str = "all") -> Finding | None:
    """sizes of {of} tensors must be known before the model runs, but for the first axis"""
    for value in op.tensors(of):
        if None in value.shape[1:]:
            sizes = ", ".join("?" if d is None else str(d) for d in value.shape)
            return fails(f"shape [{sizes}]")
    return None


@rule("has-axes")
def has_axes(op: Facts, *, of: str = "all") -> Finding | None:
    """{of} tensors that are computed at run time must have at least one axis"""
    return fails("a scalar") if any(v.rank == 0 and v.data is None for v in op.tensors(of)) else None


@rule("same-dtype")
def same_dtype(op: Facts, *, of: str = "feature-maps") -> Finding | None:
    """{of} must have one dtype"""
    kinds = list(dict.fromkeys(op.dtype(v) for v in op.tensors(of)))
    if None in kinds:
        return unknown(f"dtype of {of}")
    return fails(" and ".join(map(str, kinds))) if len(kinds) > 1 else None


@rule("same-shape")
def same_shape(op: Facts, *, of: str = "feature-maps") -> Finding | None:
    """{of} must have one shape"""
    shapes = list(dict.fromkeys(v.shape for v in op.tensors(of)))
    return fails(" and ".join(str(list(s)) for s in shapes)) if len(shapes) > 1 else None


@rule("size-from-end")
def size_from_end(op: Facts, *, of: str, axis: int, high: int) -> Finding | None:
    """the size of {of} along axis {axis} (from the end) must be at most {high}"""
    values = [v for v in op.tensors(of) if v.rank >= -axis]
    return worst(within(v.shape[axis], None, high, f"axis {axis} of size") for v in values)


@rule("plane-area")
def plane_area(op: Facts, *, of: str = "ifm", high: int) -> Finding | None:
    """height times width of {of} must be at most {high}"""
    for value in op.tensors(of):
        height, width = op.size(value, "H"), op.size(value, "W")
        if height is None or width is None:
            return unknown("height and width")
        if height * width > high:
            return fails(f"{height}x{width}")
    return None
