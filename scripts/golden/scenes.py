"""Synthetic scenes for the detector: one to three digits on a noisy, shaded background."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from skimage.transform import resize

from .digits import digits
from .spec import Dataset, FloatArray, IntArray, Split

SIZE = 48
MAX_OBJECTS = 3
TRAIN_SCENES = 12000
HELD_OUT_SCENES = 256
SMALLEST, LARGEST = 12, 22
INK = 0.25
GAP = 1
TRIES = 20
ABSENT = -1

SPLIT = (
    f"{TRAIN_SCENES} scenes of the digits' training part to learn from, {HELD_OUT_SCENES} scenes "
    f"of the held-out fifth (stratified by class, drawn with the seed)"
)
PREPROCESSING = "grey values in [0, 1]: digits and background as drawn, no normalisation"


def scenes(seed: int) -> Dataset:
    """Compose scenes [n, 1, 48, 48] with labels [n, 3, 5].

    A label row is (class, left, top, right, bottom) in pixels, the right and bottom edge
    exclusive; rows of -1 fill up scenes with fewer digits.
    """
    glyphs = digits(seed)
    rng = np.random.default_rng(seed)
    return Dataset(
        _compose(glyphs.train, TRAIN_SCENES, rng),
        _compose(glyphs.held_out, HELD_OUT_SCENES, rng),
    )


def _compose(glyphs: Split, count: int, rng: np.random.Generator) -> Split:
    drawn = [_scene(glyphs, rng) for _ in range(count)]
    return Split(np.stack([image for image, _ in drawn]), np.stack([rows for _, rows in drawn]))


def _scene(glyphs: Split, rng: np.random.Generator) -> tuple[FloatArray, IntArray]:
    image = _background(rng)
    rows: IntArray = np.full((MAX_OBJECTS, 5), ABSENT, np.int64)
    taken = np.zeros((SIZE, SIZE), bool)
    for slot in range(int(rng.integers(1, MAX_OBJECTS + 1))):
        index = int(rng.integers(len(glyphs.inputs)))
        height, width = (int(v) for v in rng.integers(SMALLEST, LARGEST + 1, size=2))
        place = _free_place(taken, height, width, rng)
        if place is None:
            break
        top, left = place
        glyph = resize(glyphs.inputs[index], (height, width), order=1)
        window = image[top : top + height, left : left + width]
        np.maximum(window, glyph * rng.uniform(0.7, 1.0), out=window)
        taken[top : top + height, left : left + width] = True
        rows[slot] = (glyphs.labels[index], *_ink_box(glyph, top, left))
    return image[None].clip(0, 1), rows


def _background(rng: np.random.Generator) -> FloatArray:
    """A linear shade with noise, darker than the ink."""
    y, x = np.mgrid[0:SIZE, 0:SIZE] / SIZE
    slope_y, slope_x = rng.uniform(-0.1, 0.1, size=2)
    shade = rng.uniform(0.1, 0.25) + slope_y * y + slope_x * x
    noisy: FloatArray = (shade + rng.normal(0, 0.03, shade.shape)).astype(np.float32)
    return noisy


def _free_place(
    taken: npt.NDArray[np.bool_], height: int, width: int, rng: np.random.Generator
) -> tuple[int, int] | None:
    """A top-left corner where the rectangle touches no digit, or None after `TRIES`."""
    for _ in range(TRIES):
        top = int(rng.integers(0, SIZE - height + 1))
        left = int(rng.integers(0, SIZE - width + 1))
        rows = slice(max(top - GAP, 0), top + height + GAP)
        columns = slice(max(left - GAP, 0), left + width + GAP)
        if not taken[rows, columns].any():
            return top, left
    return None


def _ink_box(glyph: FloatArray, top: int, left: int) -> tuple[int, int, int, int]:
    """The box (left, top, right, bottom) around the pixels that carry ink."""
    ys, xs = np.nonzero(glyph > INK * glyph.max())
    return (
        left + int(xs.min()),
        top + int(ys.min()),
        left + int(xs.max()) + 1,
        top + int(ys.max()) + 1,
    )
