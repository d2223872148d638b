"""Fourier transforms, determinants, Unique, Dropout and optionals."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from onnx.reference import ReferenceEvaluator

DYNAMIC = pytest.mark.parametrize("dynamic", [(), (0,)], ids=["static", "dynamic"])


def reference(model, feed):
    return ReferenceEvaluator(model).run(None, feed)


@pytest.mark.parametrize("length", [None, 5, 12])
@pytest.mark.parametrize("axis", [0, 1, -2])
@pytest.mark.parametrize("parts", [1, 2])
@pytest.mark.parametrize("inverse", [0, 1])
def test_dft(bench, draw, length, axis, parts, inverse):
    x = draw("float32", 3, 8, 7, parts)
    operands = [x, None if length is None else np.asarray(length), np.asarray(axis)]
    z = x[..., 0] + (1j * x[..., 1] if parts == 2 else 0)
    function = np.fft.ifft if inverse else np.fft.fft
    want = function(z, length, axis=axis + 1 if axis < 0 else axis)
    want = np.stack([want.real, want.imag], -1).astype(np.float32)
    bench.check("DFT", operands, {"inverse": inverse}, const=(1, 2), expected=[want], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("length", [None, 5, 12])
def test_one_sided_dft_and_its_inverse(bench, draw, length):
    x = draw("float32", 3, 8, 1)
    operands = [x, None if length is None else np.asarray(length), np.asarray(1)]
    want = np.fft.rfft(x[..., 0], length, axis=1)
    want = np.stack([want.real, want.imag], -1).astype(np.float32)
    attrs = {"onesided": 1}
    bench.check("DFT", operands, attrs, const=(1, 2), expected=[want], rtol=1e-4, atol=1e-4)
    back = draw("float32", 3, 5, 2)
    want = np.fft.irfft(back[..., 0] + 1j * back[..., 1], length, axis=1)[..., None].astype(np.float32)
    operands = [back, *operands[1:]]
    attrs = {"onesided": 1, "inverse": 1}
    bench.check("DFT", operands, attrs, const=(1, 2), expected=[want], rtol=1e-4, atol=1e-4)


def test_transform_of_an_unknown_length_is_refused(bench, draw):
    text = bench.refused("DFT", [draw("float32", 1, 8, 1), None, np.asarray(1)], const=(2,), dynamic=(0,))
    assert text.startswith("EK305")


@pytest.mark.parametrize("one_sided", [0, 1])
@pytest.mark.parametrize("parts", [1, 2])
@pytest.mark.parametrize("window", [False, True])
def test_stft(bench, draw, rng, one_sided, parts, window):
    if one_sided and parts == 2:
        return  # a complex signal has no one-sided spectrum
    signal, weights = draw("float32", 2, 50, parts), rng.random(16).astype(np.float32)
    operands = [signal, np.asarray(8), weights if window else None, np.asarray(16)]
    z = signal[..., 0] + (1j * signal[..., 1] if parts == 2 else 0)
    frames = np.stack([z[:, i : i + 16] for i in range(0, 50 - 15, 8)], 1) * (weights if window else 1)
    spectrum = np.fft.rfft(frames.real) if one_sided else np.fft.fft(frames)
    want = np.stack([spectrum.real, spectrum.imag], -1).astype(np.float32)
    bench.check(
        "STFT", operands, {"onesided": one_sided}, const=(1, 2, 3), expected=[want], rtol=1e-4, atol=1e-4
    )


@pytest.mark.parametrize("limits", [(0.0, 4000.0), (100.0, 3800.0), (3900.0, 3950.0)])
def test_mel_weights(bench, limits):
    operands = [np.asarray(v) for v in (13, 64, 8000)] + [np.float32(v) for v in limits]
    bench.check("MelWeightMatrix", operands, const=(0, 1, 2, 3, 4), reference=reference)


@DYNAMIC
@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_det(bench, draw, size, dynamic):
    x = draw("float32", 3, 2, size, size)
    if dynamic:
        assert "only at run time" in bench.refused("Det", [x], dynamic=dynamic)
    else:
        want = np.linalg.det(x.astype(np.float64)).astype(np.float32)
        bench.check("Det", [x], expected=[want], rtol=1e-4, atol=1e-4)


def test_large_determinant_is_refused(bench, draw):
    assert "up to 4 x 4" in bench.refused("Det", [draw("float32", 5, 5)])


@DYNAMIC
@pytest.mark.parametrize("ordered", [0, 1])
@pytest.mark.parametrize("dtype", ["float32", "int64", "uint8", "float16", "uint64"])
def test_unique(bench, rng, ordered, dtype, dynamic):
    x = rng.integers(0, 5, (3, 4, 2)).astype(dtype)
    for attrs in ({}, {"axis": 0}, {"axis": -1}):
        if dynamic and "axis" in attrs:
            continue
        want = distinct(x, ordered, **attrs)
        bench.check("Unique", [x], {"sorted": ordered, **attrs}, outputs=4, dynamic=dynamic, expected=want)


def distinct(x, ordered, axis=None):
    """numpy sorts; by appearance is in the order of the first indices."""
    values, first, inverse, counts = np.unique(
        x, axis=axis, return_index=True, return_inverse=True, return_counts=True
    )
    if ordered:
        return values, first, inverse.reshape(-1), counts
    order = np.argsort(first)
    values = values[order] if axis is None else np.take(values, order, axis)
    return values, first[order], np.argsort(order)[inverse.reshape(-1)], counts[order]


def test_unique_of_one_and_of_equal_elements(bench):
    bench.check("Unique", [np.float32([7])], outputs=4, reference=reference)
    bench.check("Unique", [np.float32([7, 7, 7])], outputs=4, reference=reference)


def test_unique_of_wide_entries_is_refused(bench, draw):
    assert "more than 64" in bench.refused("Unique", [draw("float32", 3, 65)], {"axis": 0}, outputs=4)


@DYNAMIC
def test_dropout_at_inference(bench, draw, dynamic):
    x = draw("float32", 3, 4)
    bench.check("Dropout", [x], outputs=2, dynamic=dynamic)
    operands = [x, np.float32(0), np.asarray(True)]
    bench.check("Dropout", operands, outputs=2, const=(1, 2), dynamic=dynamic, expected=[x, x == x])


def test_random_results_are_refused(bench, draw):
    x = draw("float32", 3, 4)
    text = bench.refused("Dropout", [x, np.float32(0.5), np.asarray(True)], const=(1, 2))
    assert "at random" in text
    assert "random" in bench.refused("Bernoulli", [np.abs(x) / 100])


def n_gram_counts(tokens, attrs):
    """Counts by the definition: n-grams whose tokens are equally far apart."""
    starts = [*attrs["ngram_counts"], len(attrs["pool_int64s"])]
    columns = np.zeros(len(attrs["ngram_indexes"]), np.float32)
    number = 0
    for size, (start, end) in enumerate(itertools.pairwise(starts), 1):
        for gram in zip(*[iter(attrs["pool_int64s"][start:end])] * size, strict=True):
            for distance in range(1, 2 if size == 1 else attrs["max_skip_count"] + 2):
                for first in range(len(tokens) - (size - 1) * distance):
                    window = tokens[first : first + (size - 1) * distance + 1 : distance]
                    wanted = attrs["min_gram_length"] <= size <= attrs["max_gram_length"]
                    columns[attrs["ngram_indexes"][number]] += wanted and tuple(window) == gram
            number += 1
    return columns


@pytest.mark.parametrize("limits", [(1, 1), (2, 2), (1, 3)])
@pytest.mark.parametrize("skip", [0, 3])
@pytest.mark.parametrize("mode", ["TF", "IDF"])
@pytest.mark.parametrize("dtype", ["int32", "int64"])
def test_n_grams(bench, rng, limits, skip, mode, dtype):
    attrs = {
        "mode": mode, "min_gram_length": limits[0], "max_gram_length": limits[1], "max_skip_count": skip,
        "ngram_counts": [0, 3, 7], "ngram_indexes": [2, 0, 1, 4, 3, 5],
        "pool_int64s": [1, 2, 3, 1, 2, 3, 1, 2, 1, 2],
    }  # fmt: skip
    x = rng.integers(0, 4, (3, 9)).astype(dtype)
    want = np.stack([n_gram_counts(row.tolist(), attrs) for row in x])
    want = np.minimum(want, 1) if mode == "IDF" else want
    bench.check("TfIdfVectorizer", [x], attrs, expected=[want])
    bench.check("TfIdfVectorizer", [x[0]], attrs, expected=[want[0]])
