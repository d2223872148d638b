"""Crop, letterbox and orientation: which part of an image the model sees, and which way up."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgekit.pipeline.stage import Array, Geometry, Stage, Unfit, need_image, stage
from edgekit.pipeline.stages.resize import Resize


@stage("crop")
@dataclass(frozen=True, slots=True)
class Crop(Geometry):
    """Cuts out the centre.

    Attributes:
        size: Height and width.
    """

    size: tuple[int, int]

    def apply(self, value: Array) -> Array:
        need_image(value, self.kind)
        rows, columns = self.windows(*value.shape[:2])
        return value[rows, columns]

    def windows(self, height: int, width: int) -> tuple[slice, slice]:
        """Returns the rows and columns that are kept; of an odd rest, torchvision's rounding decides."""
        spare = (height - self.size[0], width - self.size[1])
        if min(spare) < 0:
            raise Unfit(f"a crop of {list(self.size)} from {[height, width]}")
        top, left = (round(s / 2.0) for s in spare)
        return slice(top, top + self.size[0]), slice(left, left + self.size[1])

    def matrices(self, height: int, width: int) -> tuple[Array, Array]:
        rows, columns = self.windows(height, width)
        return np.eye(height)[rows], np.eye(width)[columns]


@stage("crop-square")
@dataclass(frozen=True, slots=True)
class CropSquare(Geometry):
    """Cuts out the largest square in the centre.

    Attributes:
        share: Part of the shorter side that is kept.
    """

    share: float = 1.0

    def apply(self, value: Array) -> Array:
        need_image(value, self.kind)
        return self.crop(*value.shape[:2]).apply(value)

    def crop(self, height: int, width: int) -> Crop:
        """Returns the crop that it makes of an image of this size."""
        side = max(1, round(min(height, width) * self.share))
        return Crop((side, side))

    def matrices(self, height: int, width: int) -> tuple[Array, Array]:
        return self.crop(height, width).matrices(height, width)


@stage("letterbox")
@dataclass(frozen=True, slots=True)
class Letterbox(Geometry):
    """Fits an image into a box without distortion and fills the rest.

    Attributes:
        size: Height and width of the box.
        library: As `resize`.
        kernel: As `resize`.
        fill: What the rest is filled with.
        place: Where the image lies: `centre`, or `corner` for the upper left.
    """

    size: tuple[int, int]
    library: str = "opencv"
    kernel: str = "bilinear"
    fill: float = 114.0
    place: str = "centre"

    def __post_init__(self) -> None:
        if self.place not in ("centre", "corner"):
            raise ValueError(f"`place` is `centre` or `corner`, not `{self.place}`")
        Resize(self.size, self.library, self.kernel)  # refuses what there is not

    def apply(self, value: Array) -> Array:
        need_image(value, self.kind)
        image = self.resize.apply(value)
        box = np.full((*self.size, image.shape[2]), self.fill).astype(image.dtype)
        box[self.window(0, image.shape[0]), self.window(1, image.shape[1])] = image
        return box

    @property
    def resize(self) -> Resize:
        """The resize that makes the image fit."""
        return Resize(self.size, self.library, self.kernel, "longer")

    def window(self, axis: int, length: int) -> slice:
        """Returns where the image lies in the box."""
        begin = (self.size[axis] - length) // 2 if self.place == "centre" else 0
        return slice(begin, begin + length)

    def matrices(self, height: int, width: int) -> tuple[Array, Array]:
        padded = []
        for axis, inner in enumerate(self.resize.matrices(height, width)):
            matrix = np.zeros((self.size[axis], inner.shape[1]))
            matrix[self.window(axis, len(inner))] = inner
            padded.append(matrix)
        return padded[0], padded[1]


TURNS = {
    "none": lambda x: x,
    "flip-horizontal": lambda x: x[:, ::-1],
    "rotate-180": lambda x: x[::-1, ::-1],
    "flip-vertical": lambda x: x[::-1],
    "transpose": lambda x: x.swapaxes(0, 1),
    "rotate-270": lambda x: np.rot90(x, -1),
    "transverse": lambda x: x[::-1, ::-1].swapaxes(0, 1),
    "rotate-90": lambda x: np.rot90(x),
}
"""The eight orientations in the order of EXIF tag 274 (values 1 to 8); rotations are counter-clockwise."""


@stage("orientation")
@dataclass(frozen=True, slots=True)
class Orientation(Stage):
    """Turns or mirrors an image.

    Attributes:
        turn: A key of `TURNS`.
    """

    turn: str = "none"

    def __post_init__(self) -> None:
        if self.turn not in TURNS:
            raise ValueError(f"there is no turn `{self.turn}`: {', '.join(TURNS)}")

    def apply(self, value: Array) -> Array:
        need_image(value, self.kind)
        turned: Array = TURNS[self.turn](value)
        return turned
