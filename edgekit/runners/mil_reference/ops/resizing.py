"""Resizing of the last axes.

Which neighbour is the nearest where sizes are no multiples is not specified, and devices have been seen to
differ from the usual `floor(i * size / count)`: a case in which this and the pixel under the centre of the
sample are not the same element is refused.
"""

from __future__ import annotations

import numpy as np

from edgekit.runners.mil_reference.ops.grids import grid, interpolated
from edgekit.runners.mil_reference.refusal import Refusal, claim, require
from edgekit.runners.mil_reference.table import Ints, evaluates
from edgekit.runners.mil_reference.types import Array


@evaluates("resize_nearest_neighbor")
def resize_nearest_neighbor(x: Array, target_size_height: int, target_size_width: int) -> Array:
    """Repeats or drops elements."""
    return _nearest(x, (target_size_height, target_size_width))


@evaluates("upsample_nearest_neighbor")
def upsample_nearest_neighbor(
    x: Array, scale_factor_height: float = 1, scale_factor_width: float = 1
) -> Array:
    """Repeats elements by a factor."""
    return _nearest(x, _scaled(x, scale_factor_height, scale_factor_width))


@evaluates("resize_bilinear")
def resize_bilinear(
    x: Array, target_size_height: int = 1, target_size_width: int = 1, sampling_mode: str = "DEFAULT"
) -> Array:
    """Interpolates."""
    return _linear(x, (target_size_height, target_size_width), sampling_mode)


@evaluates("upsample_bilinear")
def upsample_bilinear_15(
    x: Array, scale_factor_height: float = 1, scale_factor_width: float = 1, align_corners: bool = True
) -> Array:
    """Interpolates by a factor."""
    mode = "STRICT_ALIGN_CORNERS" if align_corners else "UNALIGN_CORNERS"
    return _linear(x, _scaled(x, scale_factor_height, scale_factor_width), mode)


@evaluates("upsample_bilinear", since=16)
def upsample_bilinear_16(
    x: Array,
    scale_factor_height: float = 1,
    scale_factor_width: float = 1,
    align_corners: bool = True,
    half_pixel_centers: bool | None = None,
) -> Array:
    """Interpolates by a factor; samples lie at the centres of pixels unless the corners are aligned."""
    half = not align_corners if half_pixel_centers is None else half_pixel_centers
    require(not (align_corners and half), "`align_corners` and `half_pixel_centers` exclude each other")
    mode = "STRICT_ALIGN_CORNERS" if align_corners else "UNALIGN_CORNERS" if half else "DEFAULT"
    return _linear(x, _scaled(x, scale_factor_height, scale_factor_width), mode)


@evaluates("resize", since=17)
def resize(
    x: Array,
    shape: Ints,
    resized_dims: int,
    interpolation_mode: str = "LINEAR",
    sampling_mode: str = "DEFAULT",
) -> Array:
    """Resizes as many of the last axes as are asked for; 0 keeps a size."""
    require(
        len(shape) <= x.ndim and 0 <= resized_dims <= len(shape),
        f"`shape` {list(shape)}, {resized_dims} axes",
    )
    tail = x.shape[x.ndim - resized_dims :]
    wanted = tuple(w or s for w, s in zip(shape[len(shape) - resized_dims :], tail, strict=True))
    if interpolation_mode == "LINEAR":
        return _linear(x, wanted, sampling_mode)
    require(interpolation_mode == "NEAREST_NEIGHBOR", f"`interpolation_mode` is `{interpolation_mode}`")
    if sampling_mode != "DEFAULT":
        raise Refusal(f"the nearest neighbour with `{sampling_mode}` is not specified")
    return _nearest(x, wanted)


def _scaled(x: Array, height: float, width: float) -> tuple[int, int]:
    require(x.ndim >= 3, f"x has the rank {x.ndim}")
    factors = np.array([height, width], np.float32)
    sizes = np.floor(factors * np.array(x.shape[-2:], np.float32))
    return int(sizes[0]), int(sizes[1])


def _linear(x: Array, sizes: tuple[int, ...], mode: str) -> Array:
    _check(x, sizes)
    for axis, size in enumerate(sizes, x.ndim - len(sizes)):
        x = interpolated(x, axis, grid(mode, x.shape[axis], size))
    return x


def _nearest(x: Array, sizes: tuple[int, ...]) -> Array:
    _check(x, sizes)
    for axis, size in enumerate(sizes, x.ndim - len(sizes)):
        i = np.arange(size)
        left, centre = i * x.shape[axis] // size, (2 * i + 1) * x.shape[axis] // (2 * size)
        require(
            np.array_equal(left, centre),
            f"the nearest neighbours of {size} samples of {x.shape[axis]} elements are not specified",
        )
        x = np.take(x, left, axis)
    return x


def _check(x: Array, sizes: tuple[int, ...]) -> None:
    require(x.ndim > len(sizes) - 1 and min(sizes, default=1) >= 1, f"the target sizes are {list(sizes)}")
    claim((*x.shape[: x.ndim - len(sizes)], *sizes))
