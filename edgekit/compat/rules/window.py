"""Rules on windows: kernel, stride, dilation, padding, groups."""

from __future__ import annotations

from edgekit.compat.facts import Facts
from edgekit.compat.finding import Finding, fails, unknown
from edgekit.compat.rules.judging import all_within, within
from edgekit.compat.rules.registry import rule


@rule("stride-range", needs="window")
def stride_range(op: Facts, *, low: int = 1, high: int) -> Finding | None:
    """stride height and width must be in [{low}, {high}]"""
    return all_within(op.stride, low, high, "stride")


@rule("stride-height", needs="window")
def stride_height(op: Facts, *, low: int = 1, high: int) -> Finding | None:
    """stride height must be in [{low}, {high}]"""
    return within(op.stride and op.stride[0], low, high, "stride height")


@rule("stride-width", needs="window")
def stride_width(op: Facts, *, low: int = 1, high: int) -> Finding | None:
    """stride width must be in [{low}, {high}]"""
    return within(op.stride and op.stride[1], low, high, "stride width")


@rule("strides-equal", needs="window")
def strides_equal(op: Facts) -> Finding | None:
    """stride height and width must be equal"""
    if op.stride is None:
        return unknown("stride")
    return fails(f"stride {op.stride[0]}x{op.stride[1]}") if op.stride[0] != op.stride[1] else None


@rule("kernel-range", needs="window")
def kernel_range(op: Facts, *, low: int = 1, high: int) -> Finding | None:
    """kernel height and width must be in [{low}, {high}]"""
    return all_within(op.kernel, low, high, "kernel")


@rule("kernel-height", needs="window")
def kernel_height(op: Facts, *, low: int = 1, high: int) -> Finding | None:
    """kernel height must be in [{low}, {high}]"""
    return within(op.kernel and op.kernel[0], low, high, "kernel height")


@rule("kernel-width", needs="window")
def kernel_width(op: Facts, *, low: int = 1, high: int) -> Finding | None:
    """kernel width must be in [{low}, {high}]"""
    return within(op.kernel and op.kernel[1], low, high, "kernel width")


@rule("kernel-area", needs="window")
def kernel_area(op: Facts, *, high: int) -> Finding | None:
    """kernel height times width must be at most {high}"""
    return within(op.kernel and op.kernel[0] * op.kernel[1], None, high, "kernel area")


@rule("kernel-square", needs="window")
def kernel_square(op: Facts) -> Finding | None:
    """kernel height and width must be equal"""
    if op.kernel is None:
        return unknown("kernel")
    return fails(f"kernel {op.kernel[0]}x{op.kernel[1]}") if op.kernel[0] != op.kernel[1] else None


@rule("kernel-in", needs="window")
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


@rule("dilated-kernel-height", needs="window")
def dilated_kernel_height(op: Facts, *, low: int = 1, high: int) -> Finding | None:
    """kernel height with its dilation must be in [{low}, {high}]"""
    size = _dilated(op)
    return within(size and size[0], low, high, "dilated kernel height")


@rule("dilated-kernel-area", needs="window")
def dilated_kernel_area(op: Facts, *, high: int) -> Finding | None:
    """kernel height times width with dilation must be at most {high}"""
    size = _dilated(op)
    return within(size and size[0] * size[1], None, high, "dilated kernel area")


@rule("dilation-range", needs="window")
def dilation_range(op: Facts, *, low: int = 1, high: int) -> Finding | None:
    """dilation height and width must be in [{low}, {high}]"""
    return all_within(op.dilation, low, high, "dilation")


@rule("dilations-equal", needs="window")
def dilations_equal(op: Facts) -> Finding | None:
    """dilation height and width must be equal"""
    if op.dilation is None:
        return unknown("dilation")
    return fails(f"dilation {op.dilation[0]}x{op.dilation[1]}") if op.dilation[0] != op.dilation[1] else None


@rule("padding-is", needs="window")
def padding_is(op: Facts, *, modes: tuple[str, ...]) -> Finding | None:
    """padding must be {modes}"""
    if op.padding is None:
        return unknown("padding")
    return None if op.padding in modes else fails(f"padding {op.padding}")


@rule("pads-range", needs="window")
def pads_range(op: Facts, *, low: int = 0, high: int) -> Finding | None:
    """padding on each side must be in [{low}, {high}]"""
    return all_within(op.pads, low, high, "padding")


@rule("groups-range", needs="window")
def groups_range(op: Facts, *, low: int = 1, high: int | None = None) -> Finding | None:
    """groups must be in [{low}, {high}]"""
    return within(op.groups, low, high, "groups")


@rule("depthwise", needs="window")
def depthwise(op: Facts) -> Finding | None:
    """the convolution must have one group per channel"""
    groups, channels = op.groups, None if op.ifm is None else op.size(op.ifm, "C")
    if groups is None or channels is None:
        return unknown("groups")
    return None if groups == channels and groups > 1 else fails(f"{groups} groups for {channels} channels")


@rule("groups-one-or-depthwise", needs="window")
def groups_one_or_depthwise(op: Facts) -> Finding | None:
    """groups must be 1 or the number of channels"""
    groups, channels = op.groups, None if op.ifm is None else op.size(op.ifm, "C")
    if groups is None or (channels is None and groups != 1):
        return unknown("groups")
    return None if groups in (1, channels) else fails(f"{groups} groups for {channels} channels")


@rule("weight-depth", needs="window")
def weight_depth(op: Facts, *, parallel: int, high: int) -> Finding | None:
    """kernel height times width times input channels over {parallel}, rounded up, must be at most {high}"""
    channels = None if op.ifm is None else op.size(op.ifm, "C")
    if op.kernel is None or channels is None:
        return unknown("kernel or channels")
    return within(op.kernel[0] * op.kernel[1] * -(-channels // parallel), None, high, "weight depth")


@rule("dilated-channels", needs="window")
def dilated_channels(op: Facts, *, high: int) -> Finding | None:
    """dilation times input channels must be at most {high}"""
    channels = None if op.ifm is None else op.size(op.ifm, "C")
    if op.dilation is None or channels is None:
        return unknown("dilation or channels")
    return within(max(op.dilation) * channels, None, high, "dilation x channels")


@rule("pads-below-kernel", needs="window")
def pads_below_kernel(op: Facts) -> Finding | None:
    """padding must be at most kernel minus one, times dilation, on each side"""
    if op.padding in ("SAME", "VALID"):
        return None
    if op.pads is None or op.kernel is None or op.dilation is None:
        return unknown("padding")
    (top, left, bottom, right), (kh, kw), (dh, dw) = op.pads, op.kernel, op.dilation
    if max(top, bottom) > (kh - 1) * dh or max(left, right) > (kw - 1) * dw:
        return fails(f"padding {top}, {left}, {bottom}, {right}")
    return None


@rule("stride-within-kernel", needs="window")
def stride_within_kernel(op: Facts) -> Finding | None:
    """stride must not be larger than the kernel"""
    if op.stride is None or op.kernel is None:
        return unknown("stride or kernel")
    if op.stride[0] > op.kernel[0] or op.stride[1] > op.kernel[1]:
        return fails(f"stride {op.stride[0]}x{op.stride[1]}, kernel {op.kernel[0]}x{op.kernel[1]}")
    return None
