"""A sketch of 1 KB gives the signal-to-noise ratio of a tensor that was never sent."""

from __future__ import annotations

import math

import numpy as np
import pytest

from edgekit.trace.sketch import mix, sketch, sqnr_db


@pytest.mark.parametrize("size", [1_000, 30_000, 800_000])
@pytest.mark.parametrize("noise_db", [10.0, 40.0])
def test_estimate_is_within_its_stated_deviation(size: int, noise_db: float) -> None:
    rng = np.random.default_rng(size)
    errors = []
    for _ in range(12):
        reference = rng.normal(size=size).astype(np.float32)
        noise = rng.normal(size=size) * 10 ** (-noise_db / 20)
        device = (reference + noise).astype(np.float32)
        true = 10 * math.log10(
            np.sum(np.square(reference, dtype=float)) / np.sum(np.square(device - reference, dtype=float))
        )
        errors.append(sqnr_db(reference, sketch(device)[0]) - true)
    assert np.max(np.abs(errors)) < 1.6  # four standard deviations of 0.4 dB
    assert abs(np.mean(errors)) < 0.5


def test_equal_tensors_are_infinitely_far_above_noise() -> None:
    values = np.linspace(-1, 1, 999, dtype=np.float32)
    assert sqnr_db(values, sketch(values)[0]) == math.inf


def test_one_wrong_element_is_seen() -> None:
    values = np.ones(100_000, np.float32)
    wrong = values.copy()
    wrong[77_777] = 101.0
    assert abs(sqnr_db(values, sketch(wrong)[0]) - 10.0) < 0.1


def test_hash_spreads_neighbours() -> None:
    hashes = mix(np.arange(256_000, dtype=np.uint32))
    counts = np.bincount(hashes % 256, minlength=256)
    assert counts.min() > 850
    assert counts.max() < 1150
    assert abs(np.mean(hashes >> np.uint32(31)) - 0.5) < 0.01
