"""Colour: order of channels, grey, and the YUV of cameras."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np

from edgekit.pipeline.stage import Array, Stage, Unfit, need_image, stage, to_uint8

ORDERS: Mapping[str, tuple[int, ...]] = {
    "rgb": (0, 1, 2), "bgr": (2, 1, 0), "grb": (1, 0, 2),
    "brg": (2, 0, 1), "rbg": (0, 2, 1), "gbr": (1, 2, 0),
}  # fmt: skip
"""Where each channel of the result comes from in RGB."""

LUMA: Mapping[str, tuple[float, float]] = {"bt601": (0.299, 0.114), "bt709": (0.2126, 0.0722)}
"""Shares of red and blue in luma. Sources: ITU-R BT.601-7 and BT.709-6."""


@stage("colour")
@dataclass(frozen=True, slots=True)
class Colour(Stage):
    """Reorders the channels of an RGB image, or makes it grey.

    Attributes:
        order: A key of `ORDERS`, or `grey`.
        luma: For `grey`: a key of `LUMA`.
    """

    order: str = "rgb"
    luma: str = "bt601"

    def __post_init__(self) -> None:
        if self.order not in (*ORDERS, "grey"):
            raise ValueError(f"there is no order `{self.order}`: {', '.join(ORDERS)}, grey")
        if self.luma not in LUMA:
            raise ValueError(f"there is no luma `{self.luma}`: {', '.join(LUMA)}")

    def apply(self, value: Array) -> Array:
        need_image(value, self.kind)
        if value.shape[2] != 3:
            raise Unfit(f"`colour` needs 3 channels, not {value.shape[2]}")
        if self.order != "grey":
            return np.ascontiguousarray(value[..., ORDERS[self.order]])
        red, blue = LUMA[self.luma]
        grey = value.astype(np.float64) @ np.array([red, 1 - red - blue, blue])
        return (to_uint8(grey) if value.dtype == np.uint8 else grey.astype(value.dtype))[..., None]


@cache
def to_yuv(matrix: str, limited: bool) -> tuple[Array, Array]:
    """Returns the matrix and offset that take RGB of 0 to 255 to YUV of 0 to 255.

    Args:
        matrix: A key of `LUMA`.
        limited: Whether Y spans 16 to 235, U and V 16 to 240 (studio range); else all 0 to 255.
    """
    red, blue = LUMA[matrix]
    luma = np.array([red, 1 - red - blue, blue])
    u = (np.array([0, 0, 1.0]) - luma) / (2 * (1 - blue))
    v = (np.array([1.0, 0, 0]) - luma) / (2 * (1 - red))
    gains = np.array([219, 224, 224]) / 255 if limited else np.ones(3)
    return np.stack([luma, u, v]) * gains[:, None], np.array([16.0 if limited else 0.0, 128.0, 128.0])


@stage("yuv-to-rgb")
@dataclass(frozen=True, slots=True)
class YuvToRgb(Stage):
    """Turns a camera's YUV (one U and V for each pixel) into RGB.

    Attributes:
        matrix: A key of `LUMA`.
        limited: Whether the samples are in studio range.
        swapped: Whether V comes before U (NV21 instead of NV12).
    """

    matrix: str = "bt601"
    limited: bool = False
    swapped: bool = False

    def __post_init__(self) -> None:
        if self.matrix not in LUMA:
            raise ValueError(f"there is no matrix `{self.matrix}`: {', '.join(LUMA)}")

    def apply(self, value: Array) -> Array:
        need_image(value, self.kind)
        mix, offset = to_yuv(self.matrix, self.limited)
        yuv = value[..., (0, 2, 1)] if self.swapped else value
        return to_uint8((yuv - offset) @ np.linalg.inv(mix).T)
