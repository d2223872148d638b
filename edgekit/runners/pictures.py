"""Pictures: the pixels that stand for a float tensor of the source model, and back.

A runner takes a picture as `[1, channels, height, width]`, its channels red, green, blue (or grey alone);
in which order the program reads them is what the artifact says. Pixels are bytes, or float16 where the
picture is of half-precision grey.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.artifact import Picture
from edgekit.diagnostics import error

HALF_GREY = "GRAYSCALE_FLOAT16"
_SLACK = 0.51
"""How far beyond 0 and 255 a number may lie: half a step, and what float32 rounds."""


def to_tensor(pixels: NDArray[Any], picture: Picture) -> NDArray[np.float32]:
    """Returns what the source model takes for a picture.

    Args:
        pixels: `[1, channels, height, width]`, red first.
        picture: What the pixels stand for.

    Returns:
        float32 of the same shape, channels in the source's order.
    """
    ordered = _reordered(pixels, picture).astype(np.float32)
    return np.asarray(ordered * _by_channel(picture.scale) + _by_channel(picture.bias), np.float32)


def to_pixels(tensor: NDArray[Any], picture: Picture, name: str) -> NDArray[Any]:
    """Returns the picture that a tensor of the source model is nearest to.

    Args:
        tensor: `[1, channels, height, width]`, channels in the source's order.
        picture: What the pixels stand for.
        name: The input, for the message.

    Raises:
        EdgekitError: EK505 if a number lies beyond those that pixels stand for.
    """
    exact = unscaled(tensor, picture)
    if picture.colour == HALF_GREY:
        return _reordered(exact, picture).astype(np.float16)
    if not is_in_range(exact):
        raise error(
            "EK505",
            f"the input `{name}` is a picture, and its numbers lie beyond what pixels stand for",
            notes=(f"they are pixels from {np.nanmin(exact):.6g} to {np.nanmax(exact):.6g}",),
        )
    return _reordered(np.clip(np.rint(exact), 0, 255), picture).astype(np.uint8)


def unscaled(tensor: NDArray[Any], picture: Picture) -> NDArray[np.float64]:
    """Returns pixels as reals, channels in the source's order."""
    wide = np.asarray(tensor, np.float64) - _by_channel(picture.bias)
    return np.asarray(wide / _by_channel(picture.scale))


def is_in_range(pixels: NDArray[Any]) -> bool:
    """Tells whether all numbers round to bytes."""
    return bool(np.all((pixels >= -_SLACK) & (pixels <= 255 + _SLACK)))


def _reordered(array: NDArray[Any], picture: Picture) -> NDArray[Any]:
    """Exchanges red and blue where the source has blue first."""
    return array[:, ::-1] if picture.colour == "BGR" else array


def _by_channel(numbers: tuple[float, ...]) -> NDArray[np.float64]:
    return np.asarray(numbers, np.float64).reshape(1, -1, 1, 1)
