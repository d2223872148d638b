"""RESIZE_BILINEAR with weights of 11 bits. Source: XNNPACK's `s8-ibilinear` microkernels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgekit.consistency.layers.rules.table import Case, predicts
from edgekit.runners import Array

_BITS = 11


@predicts("RESIZE_BILINEAR", name="weights of 11 bits, halves up (XNNPACK)")
def resize_bilinear(case: Case) -> Array | None:
    """Interpolates along rows, then between them, in integers; rounds once at the end."""
    image, shape = case.codes(0).astype(np.int64), case.result.static_shape
    if shape is None or image.ndim != 4:
        return None
    (top, bottom, down), (left, right, across) = (
        _taps(image.shape[axis], shape[axis], case) for axis in (1, 2)
    )
    rows: list[NDArray[np.int64]] = []
    for line in (image[:, top], image[:, bottom]):
        start, end = line[:, :, left], line[:, :, right]
        rows.append((start << _BITS) + (end - start) * across[:, None])
    whole: NDArray[np.int64] = (rows[0] << _BITS) + (rows[1] - rows[0]) * down[:, None, None]
    return np.asarray((whole + (1 << (2 * _BITS - 1))) >> (2 * _BITS), case.result.dtype)


def _taps(
    size: int, wanted: int, case: Case
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Returns both neighbours of each element along an axis, and the weight of the second."""
    corners = bool(case.op.attrs.get("align_corners")) and wanted > 1
    scale = (
        np.float32(size - 1) / np.float32(wanted - 1) if corners else np.float32(size) / np.float32(wanted)
    )
    place = np.arange(wanted, dtype=np.float32)
    if case.op.attrs.get("half_pixel_centers"):
        at = (place + np.float32(0.5)) * scale - np.float32(0.5)
    else:
        at = place * scale
    at = np.clip(at, 0, size - 1)
    first = np.floor(at).astype(np.int64)
    weight = np.rint((at - first) * np.float32(1 << _BITS)).astype(np.int64)
    return first, np.minimum(first + 1, size - 1), weight
