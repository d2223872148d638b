"""`Preprocess`: what stands between the pixels of an image file and the input of a model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgekit.diagnostics import error, missing_package
from edgekit.ir import Layout, TensorSpec
from edgekit.runners import Array

RESIZES = ("stretch", "crop")
COLOURS = ("RGB", "BGR")
LAYOUTS = ("nchw", "nhwc")
_BILINEAR = 2
"""Pillow's number of the filter."""


@dataclass(frozen=True, slots=True)
class Preprocess:
    """From pixels to an input: `(pixel - mean) / std`, with pixels from 0 to 255.

    Attributes:
        mean: One number for all channels, or one each; `None` if it is not known.
        std: As `mean`.
        layout: `nchw` or `nhwc`; `None` if the shape of the input has to tell.
        resize: `stretch` to the size of the input, or `crop` the middle of the image scaled to cover it;
            `None` if images have that size.
        colour: Order of the channels: `RGB` or `BGR`.
    """

    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    layout: str | None = None
    resize: str | None = None
    colour: str = "RGB"

    def __post_init__(self) -> None:
        for name, value, choices in (
            ("layout", self.layout, LAYOUTS),
            ("resize", self.resize, RESIZES),
            ("colour", self.colour, COLOURS),
        ):
            if value is not None and value not in choices:
                known = ", ".join(f"`{c}`" for c in choices)
                raise error("EK204", f"there is no {name} `{value}`", notes=(f"choices: {known}",))
        if self.std is not None and not all(s > 0 for s in self.std):
            raise error("EK202", "a standard deviation of pixels is not above 0")


@dataclass(frozen=True, slots=True)
class Image:
    """Reads image files as one input wants them.

    Attributes:
        spec: The input.
        size: Height and width.
        channels: 1 or 3.
        last: Whether the channels are the last axis.
        mean: One number per channel.
        std: One number per channel.
        how: What else is done.
    """

    spec: TensorSpec
    size: tuple[int, int]
    channels: int
    last: bool
    mean: Array
    std: Array
    how: Preprocess

    @classmethod
    def of(cls, spec: TensorSpec, how: Preprocess) -> Image:
        """Takes together what the input and the user say.

        Args:
            spec: The only input of the model.
            how: What the user says.

        Raises:
            EdgekitError: EK404 naming everything that is not known.
        """
        missing = [
            flag
            for flag, value in (("--calibrate-mean", how.mean), ("--calibrate-std", how.std))
            if value is None
        ]
        sizes = _sizes(spec)
        last = _is_last(spec, sizes, how)
        if last is None:
            missing.append("--calibrate-layout")
        if missing or last is None:
            flags = ", ".join(f"`{flag}`" for flag in missing)
            raise error(
                "EK404",
                f"how images become the input `{spec.name}` is not known: {flags} missing",
                help="state what the training did, for pixels from 0 to 255: 127.5 and 127.5 give -1 to 1",
            )
        channels, size = (sizes[3], sizes[1:3]) if last else (sizes[1], sizes[2:4])
        if channels not in (1, 3):
            raise error("EK404", f"the input `{spec.name}` has {channels} channels; images have 1 or 3")
        mean, std = (_per_channel(values, channels) for values in (how.mean, how.std))
        return cls(spec, (size[0], size[1]), channels, last, mean, std, how)

    def read(self, path: Path) -> Array:
        """Reads a file.

        Returns:
            The input, with a batch of 1.

        Raises:
            EdgekitError: EK404 if the image has another size and no way to resize was given; EK501 without
                Pillow.
            OSError: If it is no image, or damaged.
        """
        try:
            from PIL import Image as Pillow
        except ImportError:
            raise missing_package("pillow", "images", "calibration with images") from None
        with Pillow.open(path) as opened:
            picture = self._resized(opened.convert("L" if self.channels == 1 else "RGB"), path)
        pixels = np.asarray(picture, np.float32).reshape(*self.size, self.channels)
        if self.channels == 3 and self.how.colour == "BGR":
            pixels = pixels[..., ::-1]
        real = (pixels - self.mean) / self.std
        ordered = real if self.last else real.transpose(2, 0, 1)
        return np.ascontiguousarray(ordered[None]).astype(self.spec.dtype)

    def _resized(self, picture: Any, path: Path) -> Any:
        height, width = self.size
        if picture.size == (width, height):
            return picture
        if self.how.resize is None:
            given = f"{picture.size[0]} x {picture.size[1]}"
            raise error(
                "EK404",
                f"the image `{path.name}` is {given} pixels, the model takes {width} x {height}",
                help="say how to resize: `--calibrate-resize stretch` or `crop`",
            )
        if self.how.resize == "crop":
            scale = max(width / picture.size[0], height / picture.size[1])
            covering = tuple(
                max(round(side * scale), least)
                for side, least in zip(picture.size, (width, height), strict=True)
            )
            picture = picture.resize(covering, resample=2)
            left, top = (picture.size[0] - width) // 2, (picture.size[1] - height) // 2
            return picture.crop((left, top, left + width, top + height))
        return picture.resize((width, height), resample=_BILINEAR)

    def notes(self) -> tuple[str, ...]:
        """Returns what was done, and what looks wrong with it."""
        order = "NHWC" if self.last else "NCHW"
        colour = "grey" if self.channels == 1 else self.how.colour
        mean, std = (_text(values) for values in (self.mean, self.std))
        done = f"images become (pixel - {mean}) / {std} with pixels from 0 to 255, {colour}, {order}"
        small = bool((self.std < 1).any() and (np.abs(self.mean) <= 1).all())
        doubt = "mean and std look like those of pixels from 0 to 1: multiply them by 255"
        return (done, doubt) if small else (done,)


def _sizes(spec: TensorSpec) -> tuple[int, int, int, int]:
    sizes = spec.shape
    fixed = [d for d in (sizes or ())[1:] if isinstance(d, int)]
    is_one = sizes is not None and sizes[:1] != () and (sizes[0] == 1 or not isinstance(sizes[0], int))
    if len(sizes or ()) != 4 or len(fixed) != 3 or not is_one:
        raise error(
            "EK404",
            f"the input `{spec.name}` does not take one image of a fixed size",
            help="fix its sizes with `--input-shape`, or give arrays instead of images",
        )
    return (1, fixed[0], fixed[1], fixed[2])


def _is_last(spec: TensorSpec, sizes: Sequence[int], how: Preprocess) -> bool | None:
    """Tells whether channels come last; `None` where neither the user nor the shape says so."""
    if how.layout is not None:
        return how.layout == "nhwc"
    if spec.layout is not None:
        return spec.layout is Layout.NHWC
    first, last = sizes[1] in (1, 3), sizes[3] in (1, 3)
    return last if first != last else None


def _per_channel(values: tuple[float, ...] | None, channels: int) -> Array:
    assert values is not None
    if len(values) not in (1, channels):
        raise error("EK404", f"{len(values)} means or standard deviations for {channels} channels")
    return np.full(channels, values, np.float32) if len(values) == 1 else np.asarray(values, np.float32)


def _text(values: Array) -> str:
    numbers = [f"{value:g}" for value in values]
    return numbers[0] if len(set(numbers)) == 1 else "(" + ", ".join(numbers) + ")"
