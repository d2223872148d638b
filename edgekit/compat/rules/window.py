"""Rules on windows: kernel, stride, dilation, padding, groups."""

from __future__ import annotations

from edgekit.compat.facts import Facts
from edgekit.compat.finding import Finding, fails, unknown
from edgekit.compat.rules.judging import all_within, within
from edgekit.compat.rules.registry import rule


@rule("stride-range")
def stride_range(op: Facts, *, low: int = 1, high: int) -> Finding | None:
    """stride height and width must be in [{low}, {high}]"""
    return all_within(op.stride, low, high, "stride")


@rule("stride-height")
def stride_height(op: Facts, *, low: int = 1, high: int) -> Finding | None:
    """stride height must be in [{low}, {high}]"""
    return within(op.stride and op.stride[0], low, high, "stride height")


@rule("stride-width")
def stride_width(op: Facts, *, low: int = 1, high: int) -> Finding | None:
    """stride width must be in [{low}, {high}]"""
    return within(op.stride and op.stride[1], low, high, "stride width")


@rule("strides-equal")
def strides_equal(op: Facts) -> Finding | None:
    """stride height and width must be equal"""
    if op.stride is None:
        return unknown("stride")
    return fails(f"stride {op.stride[0]}x{op.stride[1]}") if op.stride[0] != op.stride[1] else None


@rule("kernel-range")
def kernel_range(op: Facts, *, low: int = 1, high: int) -> Finding | None:
    """kernel height and width must be in [{low}, {high}]"""
    return all_within(op.kernel, low, high, "kernel")


@rule("kernel-height")
def kernel_height(op: Facts, *, low: int = 1, high: int) -> Finding | None:
    """kernel height must be in [{low}, {high}]"""
    return within(op.kernel and op.kernel[0], low, high, "kernel height")


@rule("kernel-width")
def kernel_width(op: Facts, *, low: int = 1, high: int) -> Finding | None:
    """kernel width must be in [{low}, {high}]"""
    return within(op.kernel and op.kernel[1], low, high, "kernel width")


@rule("kernel-area")
def kernel_area(op: Facts, *, high: int) -> Finding | None:
    """kernel height times width must be at most {high}"""
    return within(op.kernel and op.kernel[0] * op.kernel[1], None, high, "kernel area")


@rule("kernel-square")
def kernel_square(op: Facts) -> Finding | None:
    """kernel height and width must be equal"""
    if op.kernel is None:
        return unknown("kernel")
    return fails(f"kernel {op.kernel[0]}x{op.kernel[1]}") if op.kernel[0] != op.kernel[1] else None


@rule("kernel-in")
def kernel_in(op: Facts, *, sizes: tuple[str, ...]) -> Finding | None:
    """kernel must be one of {sizes} (height x width)"""
    if op.kernel is None:
        return unknown("kernel")
    text = f"{op.kernel[0]}x{op.kernel[1]}"
    return None if text in sizes else fails(f"kernel {text}")


def _dilated(op: Facts) -> tuple[int, int] | None:
    if op.kernel is None or op.dilation is None:
        return None
    height, width = ((k - 1) * d + 1 for k, d in zip(op.kernel, op.dilation, strict=True))
    return height, width


@rule("dilated-kernel-height")
def dilated_kernel_height(op: Facts, *, low: int = 1, high: int) -> Finding | None:
    """kernel height with its dilation must be in [{low}, {high}]"""
    size = _dilated(op)
    return within(size and size[0], low, high, "dilated kernel height")


@rule("dilated-kernel-area")
def dilated_kernel_area(op: Facts, *, high: int) -> Finding | None:
    """kernel height times width with dilation must be at most {high}"""
    size = _dilated(op)
    return within(size and size[0] * size[1], None, high, "dilated kernel area")


@rule("dilation-range")
def dilation_range(op: Facts, *, low: int = 1, high: int) -> Finding | None:
    """dilation height and width must be in [{low}, {high}]"""
    return all_within(op.dilation, low, high, "dilation")


@rule("dilations-equal")
def dilations_equal(op: Facts) -> Finding | None:
    """dilation height and width must be equal"""
    if op.dilation is None:
        return unknown("dilation")
    return fails(f"dilation {op.dilation[0]}x{op.dilation[1]}") if op.dilation[0] != op.dilation[1] else None


@rule("padding-is")
def padding_is(op: Facts, *, modes: tuple[str, ...]) -> Finding | None:
    """padding must be {modes}"""
    if op.padding is None:
        return unknown("padding")
    return None if op.padding in modes else fails(f"padding {op.padding}")


@rule("pads-range")
def pads_range(op: Facts, *, low: int = 0, high: int) -> Finding | None:
    """padding on each side must be in [{low}, {high}]"""
    return all_within(op.pads, low, high, "padding")


@rule("groups-range")
def groups_range(op: Facts, *, low: int = 1, high: int | None = None) -> Finding | None:
    """groups must be in [{low}, {high}]"""
    return within(op.groups, low, high, "groups")
