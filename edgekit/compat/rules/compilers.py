"""Rules that compilers of whole files have: on tensors as such, and on ops that are fused into others."""

from __future__ import annotations

from edgekit.compat.facts import Facts
from edgekit.compat.finding import Finding, fails, unknown
from edgekit.compat.rules.judging import all_within, fixed_shape, within, worst
from edgekit.compat.rules.registry import rule


@rule("op-in")
def op_in(op: Facts, *, ops: tuple[str, ...]) -> Finding | None:
    """the op must be one of {ops}"""
    return None if op.name in ops else fails(op.name)


@rule("inner-sizes-known")
def inner_sizes_known(op: Facts, *, of: str = "all") -> Finding | None:
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


@rule("same-outline")
def same_outline(op: Facts) -> Finding | None:
    """input and result must have one shape"""
    shapes = list(dict.fromkeys(v.shape for v in op.tensors("feature-maps")))
    return fails(" and ".join(str(list(s)) for s in shapes)) if len(shapes) > 1 else None


@rule("size-from-end")
def size_from_end(op: Facts, *, of: str, axis: int, high: int) -> Finding | None:
    """the size of {of} along axis {axis} (from the end) must be at most {high}"""
    shapes = [fixed_shape(v) for v in op.tensors(of)]
    sizes = [None if s is None else s[axis] for s in shapes if s is None or len(s) >= -axis]
    return worst(within(size, None, high, f"axis {axis} of size") for size in sizes)


@rule("plane-area")
def plane_area(op: Facts, *, of: str = "ifm", high: int) -> Finding | None:
    """height times width of {of} must be at most {high}"""
    for value in op.tensors(of):
        shape = fixed_shape(value)
        if shape is None:
            return unknown("height and width")
        height, width = ((1, 1, *shape)[-3], (1, *shape)[-2])
        if height * width > high:
            return fails(f"{height}x{width}")
    return None


@rule("scales-given")
def scales_given(op: Facts, *, of: str = "feature-maps", but: tuple[str, ...] = ()) -> Finding | None:
    """{of} must carry quantisation parameters, unless their dtype is one of {but}"""
    bare = [v for v in op.tensors(of) if op.quant(v) is None and op.dtype(v) not in but]
    return fails(f"a tensor of {op.dtype(bare[0])} without a scale") if bare else None


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


@rule("stride-where-it-steps")
def stride_where_it_steps(op: Facts, *, high: int) -> Finding | None:
    """strides must be at most {high}, but along an axis on which the result has size 1"""
    if op.stride is None or op.ofm is None:
        return unknown("stride")
    sizes = op.size(op.ofm, "H"), op.size(op.ofm, "W")
    stepping = [s for s, size in zip(op.stride, sizes, strict=True) if size != 1]
    return all_within(op.stride, None, high, "stride") if any(s > high for s in stepping) else None


@rule("matmul-depth")
def matmul_depth(op: Facts, *, high: int) -> Finding | None:
    """the axis that a product of matrices sums along must have at most {high} elements"""
    if op.ifm is None or op.ifm.rank < 2:
        return unknown("the depth")
    shape = fixed_shape(op.ifm)
    depth = None if shape is None else shape[-2 if op.attr("adj_x") else -1]
    return within(depth, None, high, "depth")


@rule("lstm-plain")
def lstm_plain(op: Facts) -> Finding | None:
    """an LSTM must have weights for all four gates, and no peepholes, projection or layer norm"""
    if any(op.operand(i) is None for i in range(1, 9)):
        return fails("a gate without weights")
    odd = [i for i in (*range(9, 12), 16, 17, *range(20, 24)) if op.operand(i) is not None]
    return fails(f"operand {odd[0]}") if odd else None
