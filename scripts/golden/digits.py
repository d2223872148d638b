"""Handwritten digits, 8x8 pixels, from scikit-learn's wheel."""

from __future__ import annotations

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from .spec import Dataset, DataSource, FloatArray, Split

DIGITS = DataSource(
    name="Optical Recognition of Handwritten Digits (the test set of 1797 digits)",
    package="scikit-learn",
    licence="CC-BY-4.0",
    creators="E. Alpaydin and C. Kaynak, UCI Machine Learning Repository, 1998",
    source="https://doi.org/10.24432/C50P49",
)
SPLIT = "a fifth of the digits is held out, stratified by class; shuffled with the seed"
PREPROCESSING = "ink counts 0..16 divided by 16, so float32 in [0, 1]"
LARGEST_COUNT = 16.0
HELD_OUT_FRACTION = 0.2


def digits(seed: int) -> Dataset:
    """Load the digits as images [n, 8, 8] in [0, 1], labelled 0..9."""
    bunch = load_digits()
    images: FloatArray = (bunch.images / LARGEST_COUNT).astype(np.float32)
    train_x, test_x, train_y, test_y = train_test_split(
        images,
        bunch.target.astype(np.int64),
        test_size=HELD_OUT_FRACTION,
        stratify=bunch.target,
        random_state=seed,
    )
    return Dataset(Split(train_x, train_y), Split(test_x, test_y))


def digits_nchw(seed: int) -> Dataset:
    """The digits as [n, 1, 8, 8], the layout of PyTorch's convolutions."""
    return _with_channel(digits(seed), axis=1)


def digits_nhwc(seed: int) -> Dataset:
    """The digits as [n, 8, 8, 1], the layout of Keras's convolutions."""
    return _with_channel(digits(seed), axis=3)


def _with_channel(data: Dataset, axis: int) -> Dataset:
    return Dataset(
        Split(np.expand_dims(data.train.inputs, axis), data.train.labels),
        Split(np.expand_dims(data.held_out.inputs, axis), data.held_out.labels),
    )
