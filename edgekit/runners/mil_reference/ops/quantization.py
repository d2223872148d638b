"""Affine quantisation of tensors that are computed. It rounds to nearest, halves to even."""

from __future__ import annotations

import numpy as np

from edgekit.runners.mil_reference.ops.axes import along, normal
from edgekit.runners.mil_reference.refusal import require
from edgekit.runners.mil_reference.table import evaluates
from edgekit.runners.mil_reference.types import NAMED, Array


@evaluates("quantize", since=17, alike=("input", "scale"))
def quantize(
    input_: Array, scale: Array, output_dtype: str, zero_point: Array | None = None, axis: int | None = None
) -> Array:
    """Returns `clip(round(input / scale) + zero_point)`."""
    require(output_dtype in ("int8", "uint8"), f"`output_dtype` is `{output_dtype}`")
    target = NAMED[output_dtype].carrier
    require(zero_point is None or zero_point.dtype == target, f"`zero_point` is not {output_dtype}")
    require(not bool(np.isnan(input_).any()), "NaN has no quantised value")
    steps = np.round(input_ / spread(scale, input_, axis, "scale"))
    offset = 0 if zero_point is None else spread(zero_point, input_, axis, "zero_point").astype(np.float32)
    limits = np.iinfo(target)
    return np.clip(steps + offset, limits.min, limits.max).astype(target)


@evaluates("dequantize", since=17, alike=("input", "zero_point"))
def dequantize(
    input_: Array, scale: Array, zero_point: Array | None = None, axis: int | None = None
) -> Array:
    """Returns `scale * (input - zero_point)`."""
    require(input_.dtype.name in ("int8", "uint8"), f"`input` is {input_.dtype}")
    return affine(input_, scale, zero_point, axis)


def affine(data: Array, scale: Array, zero_point: Array | None, axis: int | None) -> Array:
    """Returns `scale * (data - zero_point)` in float32."""
    centred = data.astype(np.float32)
    if zero_point is not None:
        centred = centred - spread(zero_point, data, axis, "zero_point").astype(np.float32)
    return spread(scale, data, axis, "scale") * centred


def spread(factor: Array, x: Array, axis: int | None, name: str) -> Array:
    """Shapes a scalar, or a vector along an axis, so that it broadcasts.

    Raises:
        Refusal: If it does not fit.
    """
    if factor.ndim == 0:
        return factor
    require(
        axis is not None and factor.ndim == 1, f"`{name}` is {list(factor.shape)}, without an axis for it"
    )
    place = normal(axis or 0, x.ndim)
    require(factor.shape == (x.shape[place],), f"`{name}` has {len(factor)} elements for {x.shape[place]}")
    return along(factor, place, x.ndim)
