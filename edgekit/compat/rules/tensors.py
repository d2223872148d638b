"""Rules on tensors: dtype, rank, shape, constness."""

from __future__ import annotations

import math

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


@rule("size-multiple")
def size_multiple(op: Facts, *, of: str, axis: str, factor: int) -> Finding | None:
    """size of {of} along {axis} must be a multiple of {factor}"""
    for value in op.tensors(of):
        size = op.size(value, axis)
        if size is None:
            return unknown(f"{axis}")
        if size % factor:
            return fails(f"{axis} = {size}")
    return None


@rule("dims-range")
def dims_range(op: Facts, *, of: str = "feature-maps", low: int = 1, high: int) -> Finding | None:
    """every size of {of} must be in [{low}, {high}]"""
    return worst(within(d, low, high, "size") for v in op.tensors(of) for d in v.shape)


@rule("elements-max")
def elements_max(op: Facts, *, of: str, high: int) -> Finding | None:
    """{of} must have at most {high} elements"""
    return worst(within(_elements(v.static_shape), None, high, "elements:") for v in op.tensors(of))


def _elements(shape: tuple[int, ...] | None) -> int | None:
    return None if shape is None else math.prod(shape)


@rule("inner-dims")
def inner_dims(op: Facts, *, of: str = "feature-maps", count: int) -> Finding | None:
    """only the {count} innermost axes of {of} may be larger than 1"""
    for value in op.tensors(of):
        outer = value.shape[: max(0, value.rank - count)]
        if any(d is not None and d > 1 for d in outer):
            return fails(f"shape {list(value.shape)}")
        if None in outer:
            return unknown("an outer size")
    return None


@rule("not-constant")
def not_constant(op: Facts, *, of: str) -> Finding | None:
    """{of} must not be constant"""
    return fails("a constant") if any(v.data is not None for v in op.tensors(of)) else None


@rule("absent")
def absent(op: Facts, *, of: str) -> Finding | None:
    """there must be no {of}"""
    return fails("it is given") if op.tensors(of) else None


@rule("present")
def present(op: Facts, *, of: str) -> Finding | None:
    """{of} must be given"""
    return None if op.tensors(of) else fails("it is left out")


@rule("inputs-range")
def inputs_range(op: Facts, *, low: int = 1, high: int) -> Finding | None:
    """the op must have {low} to {high} feature maps going in"""
    return within(len(op.ifms), low, high, "inputs:")


@rule("ifm-dtypes-equal")
def ifm_dtypes_equal(op: Facts) -> Finding | None:
    """all feature maps that go in must have one dtype"""
    return _one_dtype([op.dtype(v) for v in op.ifms])


@rule("dtypes-equal")
def dtypes_equal(op: Facts) -> Finding | None:
    """all feature maps must have one dtype"""
    return _one_dtype([op.dtype(v) for v in op.tensors("feature-maps")])


def _one_dtype(found: list[str | None]) -> Finding | None:
    known = sorted({d for d in found if d is not None})
    if len(known) > 1:
        return fails(", ".join(known))
    return unknown("a dtype") if None in found else None


@rule("hw-product-max")
def hw_product_max(op: Facts, *, of: str, high: int) -> Finding | None:
    """height times width of {of} must be at most {high}"""
    return worst(
        within(_product(op.size(v, "H"), op.size(v, "W")), None, high, "H x W =") for v in op.tensors(of)
    )


def _product(height: int | None, width: int | None) -> int | None:
    return None if height is None or width is None else height * width


@rule("never")
def never(op: Facts) -> Finding | None:
    """the accelerator has no such op"""
    return fails(op.name)


@rule("runtime-inputs")
def runtime_inputs(op: Facts, *, low: int = 1, high: int) -> Finding | None:
    """{low} to {high} operands must be computed at run time"""
    count = sum(v is not None and v.data is None for v in op.emitted.inputs)
    return within(count, low, high, "operands at run time:")


@rule("outputs-range")
def outputs_range(op: Facts, *, low: int = 1, high: int) -> Finding | None:
    """the op must have {low} to {high} results"""
    return within(len(op.ofms), low, high, "results:")


@rule("varied-dims")
def varied_dims(op: Facts, *, of: str = "feature-maps", high: int) -> Finding | None:
    """at most {high} sizes of {of} may be larger than 1"""
    return worst(_varied(v.shape, high) for v in op.tensors(of))


def _varied(shape: tuple[int | None, ...], high: int) -> Finding | None:
    certain = sum(d is not None and d > 1 for d in shape)
    if certain > high:
        return fails(f"shape {list(shape)}")
    return unknown("a size") if certain + shape.count(None) > high else None
