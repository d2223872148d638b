"""Patches of photographs from scikit-image's wheel: which picture is this a piece of?"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from skimage import data

from .spec import Dataset, DataSource, FloatArray, IntArray, Split

PATCH = 40
BLOCK = 64
PATCHES_PER_TRAIN_BLOCK = 12
PATCHES_PER_HELD_OUT_BLOCK = 4
HELD_OUT_FRACTION = 0.2
MEAN = np.array([0.485, 0.456, 0.406], np.float32)
STD = np.array([0.229, 0.224, 0.225], np.float32)

SPLIT = (
    f"each photograph is cut into {BLOCK}x{BLOCK} blocks and a fifth of them, drawn with the seed, "
    f"is held out; patches never cross a block's edge, so no pixel is in both splits"
)
PREPROCESSING = (
    "RGB divided by 255, minus mean [0.485, 0.456, 0.406], divided by standard deviation "
    "[0.229, 0.224, 0.225]; a grey photograph is repeated in the three channels"
)


def _photograph(name: str, licence: str, creators: str, source: str) -> DataSource:
    return DataSource(f"skimage.data.{name}", "scikit-image", licence, creators, source)


# The order is the order of the classes. Only pictures that the package's own documentation
# declares public domain or CC0, and whose file is in the wheel.
PHOTOGRAPHS = (
    _photograph("astronaut", "public domain", "NASA", "https://flic.kr/p/r9qvLn"),
    _photograph("brick", "CC0-1.0", "CC0Textures", "https://cc0textures.com/view.php?tex=Bricks25"),
    _photograph(
        "chelsea",
        "CC0-1.0",
        "Stefan van der Walt",
        "https://scikit-image.org/docs/stable/api/skimage.data.html#skimage.data.chelsea",
    ),
    _photograph(
        "coffee",
        "CC0-1.0",
        "Rachel Michetti",
        "https://scikit-image.org/docs/stable/api/skimage.data.html#skimage.data.coffee",
    ),
    _photograph(
        "grass",
        "CC0-1.0",
        "linolafett",
        "https://www.deviantart.com/linolafett/art/Grass-01-434853879",
    ),
    _photograph("gravel", "CC0-1.0", "CC0Textures", "https://cc0textures.com/view.php?tex=Gravel04"),
    _photograph(
        "rocket",
        "public domain",
        "SpaceX",
        "https://www.flickr.com/photos/spacexphotos/16511594820",
    ),
)


def photograph_patches(seed: int) -> Dataset:
    """Cut the photographs into normalised patches [n, 3, 40, 40], labelled by photograph."""
    rng = np.random.default_rng(seed)
    train: list[tuple[FloatArray, int]] = []
    held_out: list[tuple[FloatArray, int]] = []
    for label, source in enumerate(PHOTOGRAPHS):
        blocks = list(_blocks(_load(source)))
        chosen = rng.permutation(len(blocks))[: round(len(blocks) * HELD_OUT_FRACTION)]
        for i, block in enumerate(blocks):
            into, count = (
                (held_out, PATCHES_PER_HELD_OUT_BLOCK) if i in chosen else (train, PATCHES_PER_TRAIN_BLOCK)
            )
            into.extend((_patch(block, rng), label) for _ in range(count))
    return Dataset(_stack(train, rng), _stack(held_out, rng))


def _load(source: DataSource) -> npt.NDArray[np.uint8]:
    """The photograph as RGB [height, width, 3]."""
    image: npt.NDArray[np.uint8] = getattr(data, source.name.rsplit(".", 1)[1])()
    return image if image.ndim == 3 else np.repeat(image[..., None], 3, axis=2)


def _blocks(image: npt.NDArray[np.uint8]) -> Iterator[npt.NDArray[np.uint8]]:
    height, width = image.shape[:2]
    for top in range(0, height - BLOCK + 1, BLOCK):
        for left in range(0, width - BLOCK + 1, BLOCK):
            yield image[top : top + BLOCK, left : left + BLOCK]


def _patch(block: npt.NDArray[np.uint8], rng: np.random.Generator) -> FloatArray:
    """A random patch of a block, half of the time mirrored, normalised, channels first."""
    top, left = rng.integers(0, BLOCK - PATCH + 1, size=2)
    patch = block[top : top + PATCH, left : left + PATCH]
    if rng.random() < 0.5:
        patch = patch[:, ::-1]
    normalised = (patch.astype(np.float32) / np.float32(255) - MEAN) / STD
    return np.ascontiguousarray(normalised.transpose(2, 0, 1))


def _stack(patches: list[tuple[FloatArray, int]], rng: np.random.Generator) -> Split:
    order = rng.permutation(len(patches))
    labels: IntArray = np.array([patches[i][1] for i in order], np.int64)
    return Split(np.stack([patches[i][0] for i in order]), labels)
