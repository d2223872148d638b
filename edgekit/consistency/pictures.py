"""Samples of inputs that the artifact takes as pictures: numbers that stand for pixels."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from edgekit.artifact import Picture
from edgekit.consistency.samples import Sample, Samples
from edgekit.runners import Array
from edgekit.runners.pictures import HALF_GREY, is_in_range, to_pixels, to_tensor, unscaled

Pictures = Mapping[str, Picture]
"""By the name of the input in the source model."""


def drawn(generator: np.random.Generator, shape: tuple[int, ...], picture: Picture) -> Array:
    """Returns the tensor of a random picture: patches of colour with some noise, all bytes possible."""
    _, channels, height, width = shape
    patches = generator.integers(0, 256, (1, channels, -(-height // 8), -(-width // 8)))
    large = patches.repeat(8, 2).repeat(8, 3)[:, :, :height, :width]
    noise = generator.integers(-16, 17, shape)
    pixels = np.clip(large + noise, 0, 255)
    if picture.colour == HALF_GREY:
        return to_tensor((pixels / 255).astype(np.float16), picture)
    return to_tensor(pixels.astype(np.uint8), picture)


def as_pictures(samples: Samples, pictures: Pictures) -> Samples:
    """Replaces tensors by those of the nearest pictures, and says how far they moved.

    Args:
        samples: What is given or shipped.
        pictures: Which inputs are pictures.
    """
    moved: dict[str, float] = {}
    arrays = tuple(_sample(one, pictures, moved) for one in samples.arrays)
    notes = tuple(
        f"`{name}` was rounded to pixels, which moved it by up to {distance:.2g} steps of a pixel"
        for name, distance in moved.items()
        if distance > 0.01
    )
    return Samples(samples.kind, arrays, samples.notes + notes)


def _sample(sample: Sample, pictures: Pictures, moved: dict[str, float]) -> Sample:
    result = dict(sample)
    for name, picture in pictures.items():
        exact = unscaled(sample[name], picture)
        bounded = exact if picture.colour == HALF_GREY or is_in_range(exact) else np.clip(exact, 0, 255)
        inside = np.asarray(bounded * _scale(picture) + _bias(picture), np.float32)
        nearest = to_tensor(to_pixels(inside, picture, name), picture)
        result[name] = nearest.astype(sample[name].dtype)
        distance = float(np.abs(unscaled(nearest, picture) - exact).max(initial=0))
        moved[name] = max(moved.get(name, 0.0), distance)
    return result


def _scale(picture: Picture) -> Array:
    return np.reshape(picture.scale, (1, -1, 1, 1))


def _bias(picture: Picture) -> Array:
    return np.reshape(picture.bias, (1, -1, 1, 1))
