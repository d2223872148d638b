"""Rules on resizing, and on the sizes of transposed convolutions."""

from __future__ import annotations

import numpy as np

from edgekit.compat.facts import Facts, Pair
from edgekit.compat.finding import Finding, fails, unknown
from edgekit.compat.rules.registry import rule


def _sizes(op: Facts) -> tuple[Pair, Pair] | None:
    """Returns height and width of input and result."""
    found = [op.size(v, a) for v in (op.ifm, op.ofm) if v is not None for a in "HW"]
    known = [size for size in found if size is not None]
    return ((known[0], known[1]), (known[2], known[3])) if len(known) == 4 else None


def _flag(op: Facts, name: str) -> bool:
    return bool(op.attr(name))


def _half_pixels(op: Facts) -> bool:
    """Nearest neighbours of pixel centres are what TFLite's kernel takes where corners are not aligned."""
    half = _flag(op, "half_pixel_centers")
    return half or (op.name == "RESIZE_NEAREST_NEIGHBOR" and not _flag(op, "align_corners"))


def _steps(size: int, result: int, align: bool) -> Pair:
    """Returns the factor of one axis as a fraction."""
    return (result - 1, size - 1) if align and size > 1 else (result, size)


@rule("one-upscale")
def one_upscale(op: Facts, *, high: int, high_half_pixel: int) -> Finding | None:
    """height and width must grow by one power of two up to {high}, with half pixel centres {high_half_pixel}

    From 1x1 any size can be reached; one axis may stay at size 1.
    """
    found = _sizes(op)
    if found is None:
        return unknown("a size")
    (h, w), (to_h, to_w) = found
    half = op.name == "RESIZE_BILINEAR" and _flag(op, "half_pixel_centers")
    if (h, w) == (1, 1):
        return None
    if (h, w) == (to_h, to_w):
        return fails("half pixel centres at the same size") if half else None
    align = _flag(op, "align_corners")
    by_h, by_w = (_factor(a, b, align) for a, b in ((h, to_h), (w, to_w)))
    if by_h != by_w and (half or not ((to_h == 1 and by_h == 1) or (to_w == 1 and by_w == 1))):
        return fails(f"factors {by_h:g} and {by_w:g}")
    factor = max(by_h, by_w)
    if factor not in _powers(high_half_pixel if half else high):
        return fails(f"factor {factor:g}")
    return None


def _factor(size: int, result: int, align: bool) -> float:
    if align and result == 1:
        return 1.0
    if align:
        return float("inf") if size == 1 else float(np.float32(result - 1) / np.float32(size - 1))
    return float(np.float32(result) / np.float32(size))


def _powers(high: int) -> set[float]:
    return {float(2**i) for i in range(1, high.bit_length()) if 2**i <= high}


@rule("upscale-below")
def upscale_below(op: Facts, *, high: int, high_half_pixel: int) -> Finding | None:
    """height and width must grow by at most {high}, with half pixel centres by at most {high_half_pixel}"""
    found = _sizes(op)
    if found is None:
        return unknown("a size")
    limit = min(high, high_half_pixel) if _half_pixels(op) else high
    align = _flag(op, "align_corners")
    for size, result in zip(*found, strict=True):
        up, down = _steps(size, result, align)
        if up == 0 or down == 0 or up // down > limit:
            return fails(f"factor {up}/{down}")
    return None


@rule("upscale-powers-of-two")
def upscale_powers_of_two(op: Facts) -> Finding | None:
    """height and width must grow by a power of two each, from 1x1 by any factor"""
    found = _sizes(op)
    if found is None:
        return unknown("a size")
    if found[0] == (1, 1):
        return None
    align = _flag(op, "align_corners")
    for size, result in zip(*found, strict=True):
        up, down = _steps(size, result, align)
        factor = up // down if down and up % down == 0 else 0
        if factor < 1 or factor & (factor - 1):
            return fails(f"factor {up}/{down}")
    return None


@rule("corners-or-half-pixels")
def corners_or_half_pixels(op: Facts) -> Finding | None:
    """aligned corners and half pixel centres exclude each other"""
    both = _flag(op, "align_corners") and _flag(op, "half_pixel_centers")
    return fails("both are asked for") if both else None


@rule("upsampled-size")
def upsampled_size(op: Facts) -> Finding | None:
    """the size of the result must be input times stride, and with padding VALID the kernel's rim more"""
    found = _sizes(op)
    if found is None or op.stride is None or op.kernel is None or op.padding is None:
        return unknown("a size")
    rim = [max(k - s, 0) if op.padding == "VALID" else 0 for k, s in zip(op.kernel, op.stride, strict=True)]
    wanted = [size * s + r for size, s, r in zip(found[0], op.stride, rim, strict=True)]
    return None if wanted == list(found[1]) else fails(f"size {found[1][0]}x{found[1][1]}")


@rule("upsampling-stride")
def upsampling_stride(op: Facts) -> Finding | None:
    """strides must be 1x1 or 2x2, or 1 and 2 where kernel and input have size 1 along the axis of stride 1"""
    found = _sizes(op)
    if found is None or op.stride is None or op.kernel is None:
        return unknown("a size")
    if op.stride in ((1, 1), (2, 2)):
        return None
    if op.stride in ((1, 2), (2, 1)):
        still = op.stride.index(1)
        if found[0][still] == 1 and op.kernel[still] == 1:
            return None
    return fails(f"stride {op.stride[0]}x{op.stride[1]}")
