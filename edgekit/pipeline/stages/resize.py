"""Resize, in the flavours of the libraries that people deploy with."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from edgekit.pipeline.resample import Axis, along, weights
from edgekit.pipeline.stage import Array, Geometry, Unfit, need_image, stage, to_uint8

Fit = Literal["stretch", "shorter", "longer"]


@dataclass(frozen=True, slots=True)
class Flavour:
    """What one library's resize is.

    Attributes:
        axis: The resampling.
        rounding: A key of `ROUNDINGS`: how uint8 results come about.
    """

    axis: Axis
    rounding: str = "once"


FLAVOURS: Mapping[str, Mapping[str, Flavour]] = {
    "pillow": {
        "nearest": Flavour(Axis("nearest")),
        "box": Flavour(Axis("box"), "pillow"),
        "bilinear": Flavour(Axis("bilinear"), "pillow"),
        "hamming": Flavour(Axis("hamming"), "pillow"),
        "bicubic": Flavour(Axis("bicubic"), "pillow"),
        "lanczos": Flavour(Axis("lanczos"), "pillow"),
    },
    "opencv": {
        "nearest": Flavour(Axis("nearest", coordinates="asymmetric")),
        "bilinear": Flavour(Axis("bilinear", False, edge="clamp"), "opencv"),
        "bicubic": Flavour(Axis("bicubic-0.75", False, edge="clamp"), "fixed"),
        "area": Flavour(Axis("area")),
    },
    "tensorflow": {
        "nearest": Flavour(Axis("nearest")),
        "bilinear": Flavour(Axis("bilinear", False, edge="clamp")),
        "bilinear-antialias": Flavour(Axis("bilinear")),
        "bilinear-align-corners": Flavour(Axis("bilinear", False, "align_corners", "clamp")),
        "bilinear-asymmetric": Flavour(Axis("bilinear", False, "asymmetric", "clamp")),
        "bicubic": Flavour(Axis("bicubic", False)),
        "bicubic-antialias": Flavour(Axis("bicubic")),
        "area": Flavour(Axis("area")),
    },
    "torch": {
        "nearest": Flavour(Axis("nearest", coordinates="asymmetric")),
        "nearest-exact": Flavour(Axis("nearest")),
        "bilinear": Flavour(Axis("bilinear", False, edge="clamp")),
        "bilinear-antialias": Flavour(Axis("bilinear")),
        "bilinear-align-corners": Flavour(Axis("bilinear", False, "align_corners", "clamp")),
        "bicubic": Flavour(Axis("bicubic-0.75", False, edge="clamp")),
        "bicubic-antialias": Flavour(Axis("bicubic")),
    },
}
"""What each library calls its resizes, and what they compute.

Sources: Pillow 12 `Resampling`; OpenCV 4 `InterpolationFlags`; TensorFlow 2 `tf.image.resize` and, for the
    two with
other coordinates, `tf.compat.v1.image.resize`; PyTorch 2 `interpolate`. The tests hold them against the
libraries.
"""


def library_axes() -> dict[Axis, str]:
    """Returns each different resampling with the first library and kernel that computes it."""
    named: dict[Axis, str] = {}
    for library, flavours in FLAVOURS.items():
        for kernel, flavour in flavours.items():
            named.setdefault(flavour.axis, f"{library} {kernel}")
    return named


@stage("resize")
@dataclass(frozen=True, slots=True)
class Resize(Geometry):
    """Resamples an image.

    Attributes:
        size: Height and width of the result; with `fit` other than `stretch`, of the box that it is fitted
            to.
        library: A key of `FLAVOURS`.
        kernel: One of that library's.
        fit: `stretch` takes the size as it is; `shorter` keeps the aspect ratio and covers the box, `longer`
            stays within it.
    """

    size: tuple[int, int]
    library: str = "pillow"
    kernel: str = "bilinear"
    fit: Fit = "stretch"

    def __post_init__(self) -> None:
        if self.library not in FLAVOURS:
            raise ValueError(f"there is no library `{self.library}`: {', '.join(FLAVOURS)}")
        if self.kernel not in FLAVOURS[self.library]:
            known = ", ".join(FLAVOURS[self.library])
            raise ValueError(f"{self.library} has no kernel `{self.kernel}`: {known}")
        if min(self.size) < 1:
            raise ValueError(f"the size {list(self.size)} is not positive")

    @property
    def flavour(self) -> Flavour:
        """What it computes."""
        return FLAVOURS[self.library][self.kernel]

    def target(self, height: int, width: int) -> tuple[int, int]:
        """Returns height and width of the result."""
        if self.fit == "stretch":
            return self.size
        ratios = (self.size[0] / height, self.size[1] / width)
        ratio = max(ratios) if self.fit == "shorter" else min(ratios)
        sides = zip((height, width), self.size, ratios, strict=True)
        # the side that decides is met exactly; the other is cut, as torchvision and OpenCV users do
        tall, wide = (box if r == ratio else max(1, int(side * ratio)) for side, box, r in sides)
        return tall, wide

    def matrices(self, height: int, width: int) -> tuple[Array, Array]:
        target = self.target(height, width)
        return weights(height, target[0], self.flavour.axis), weights(width, target[1], self.flavour.axis)

    def apply(self, value: Array) -> Array:
        need_image(value, self.kind)
        rows, columns = self.matrices(*value.shape[:2])
        if value.dtype == np.uint8:
            return ROUNDINGS[self.flavour.rounding](value, rows, columns)
        if value.dtype.kind != "f":
            raise Unfit(f"`resize` works on uint8 and floats, not on {value.dtype}")
        return resampled(value, rows, columns).astype(value.dtype)


def resampled(image: Array, rows: Array, columns: Array) -> Array:
    """Returns rows x image x columns in float64, of shape [rows, columns, channels]."""
    return along(columns, along(rows, image, 0), 1)


def _once(image: Array, rows: Array, columns: Array) -> Array:
    return to_uint8(resampled(image, rows, columns))


_PILLOW_BITS = 22


def _pillow(image: Array, rows: Array, columns: Array) -> Array:
    """Two passes in fixed point of 22 bits, each rounded; an axis that keeps its size has no pass."""
    for matrix, axis in ((columns, 1), (rows, 0)):
        if matrix.shape[0] == matrix.shape[1]:
            continue
        fixed = np.trunc(matrix * 2**_PILLOW_BITS + np.copysign(0.5, matrix))
        total = along(fixed, image, axis)  # exact: below 2^53
        shifted = np.floor((total + 2 ** (_PILLOW_BITS - 1)) / 2**_PILLOW_BITS)
        image = np.clip(shifted, 0, 255).astype(np.uint8)
    return image


def _opencv(image: Array, rows: Array, columns: Array) -> Array:
    """Weights of 11 bits on each axis; between the passes 4 bits are dropped, and 16 and 2 at the end."""
    kept = np.floor(along(np.rint(columns * 2048), image, 1) / 16)
    total = np.zeros((rows.shape[0], *kept.shape[1:]))
    for row, column, tap in _taps(np.rint(rows * 2048)):
        total[row] += np.floor(tap[:, None, None] * kept[column] / 65536)
    return np.clip(np.floor((total + 2) / 4), 0, 255).astype(np.uint8)


def _taps(matrix: Array) -> Iterator[tuple[Array, Array, Array]]:
    """Yields rows, columns and weights, one weight of a row at a time: each product is shifted alone."""
    left = matrix.copy()
    while left.any():
        row = np.flatnonzero(left.any(axis=1))
        column = np.argmax(left[row] != 0, axis=1)
        yield row, column, left[row, column]
        left[row, column] = 0


def _fixed(image: Array, rows: Array, columns: Array) -> Array:
    """Weights of 11 bits on each axis, one rounding at the end."""
    return to_uint8(resampled(image, np.rint(rows * 2048) / 2048, np.rint(columns * 2048) / 2048))


ROUNDINGS: Mapping[str, Callable[[Array, Array, Array], Array]] = {
    "once": _once,
    "pillow": _pillow,
    "opencv": _opencv,
    "fixed": _fixed,
}
