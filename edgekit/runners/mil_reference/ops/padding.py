"""Padding and cropping."""

from __future__ import annotations

import numpy as np

from edgekit.runners.mil_reference.refusal import Refusal, claim, require
from edgekit.runners.mil_reference.table import Ints, Number, evaluates
from edgekit.runners.mil_reference.types import Array


@evaluates("pad", alike=("x", "constant_val"))
def pad(x: Array, pad: Ints, mode: str = "constant", constant_val: Number | None = None) -> Array:
    """Pads as many of the last axes as there are pairs in `pad`.

    Raises:
        Refusal: If the numbers do not fit.
    """
    axes = len(pad) // 2
    require(len(pad) % 2 == 0 and axes <= x.ndim, f"`pad` has {len(pad)} numbers for the rank {x.ndim}")
    require(min(pad, default=0) >= 0, f"`pad` is {list(pad)}")
    edges = [(0, 0)] * (x.ndim - axes) + list(zip(pad[0::2], pad[1::2], strict=True))
    claim([s + b + a for s, (b, a) in zip(x.shape, edges, strict=True)])
    if mode == "constant":
        return np.pad(x, edges, constant_values=0 if constant_val is None else constant_val)
    most = {"reflect": 1, "replicate": 0}.get(mode)
    if most is None:
        raise Refusal(f"`mode` is `{mode}`")
    require(
        all(max(edge) <= size - most for size, edge in zip(x.shape, edges, strict=True) if any(edge)),
        f"`pad` {list(pad)} is more than `{mode}` can take from {list(x.shape)}",
    )
    return np.pad(x, edges, mode="reflect" if mode == "reflect" else "edge")


@evaluates("crop")
def crop(x: Array, crop_height: Ints, crop_width: Ints) -> Array:
    """Cuts off from both ends of the last two axes."""
    require(x.ndim >= 3, f"x has the rank {x.ndim}")
    require(len(crop_height) == len(crop_width) == 2, "each crop takes two numbers")
    (top, bottom), (left, right) = crop_height, crop_width
    height, width = x.shape[-2] - top - bottom, x.shape[-1] - left - right
    require(min(top, bottom, left, right) >= 0 and height > 0 and width > 0, "nothing would be left")
    return x[..., top : top + height, left : left + width]
