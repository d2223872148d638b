"""Where along an axis a resized tensor is sampled."""

from __future__ import annotations

import numpy as np

from edgekit.runners.mil_reference.refusal import Refusal, require
from edgekit.runners.mil_reference.types import Array


def grid(mode: str, size: float, count: int) -> Array:
    """Returns the places of `count` samples on an axis of `size` elements, before they are bounded to it.

    Args:
        mode: How the ends are aligned, as the op spells it.
        size: Number of elements, which for a part of an image is a real.
        count: Number of samples.

    Returns:
        `[count]`, float64.

    Raises:
        Refusal: For another mode.
    """
    require(count >= 1, f"the target size is {count}")
    i = np.arange(count, dtype=np.float64)
    if mode in ("STRICT_ALIGN_CORNERS", "ALIGN_CORNERS"):
        if count == 1:
            return i if mode.startswith("STRICT") else i + (size - 1) / 2
        return i * ((size - 1) / (count - 1))
    if mode == "DEFAULT":
        return i * (size / count)
    if mode == "OFFSET_CORNERS":
        return (i + 0.5) * (max(1.0, size - 1) / count)
    if mode == "UNALIGN_CORNERS":
        return (i + 0.5) * (size / count) - 0.5
    raise Refusal(f"`sampling_mode` is `{mode}`")


def interpolated(x: Array, axis: int, places: Array) -> Array:
    """Interpolates along an axis at places that lie on it, in float32."""
    size = x.shape[axis]
    bounded = np.clip(places, 0, size - 1)
    low = np.floor(bounded).astype(np.int64)
    high = np.minimum(low + 1, size - 1)
    weight = (bounded - low).astype(np.float32).reshape([-1 if a == axis else 1 for a in range(x.ndim)])
    first, second = np.take(x, low, axis), np.take(x, high, axis)
    return np.asarray(first + (second - first) * weight)
