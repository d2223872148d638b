"""Ranges from a histogram that streams, against the values themselves."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from edgekit.quantize import Calibration, observe
from edgekit.quantize.histogram import Histogram
from edgekit.quantize.methods import METHODS, absolute_counts, divergence

FLOATS = st.floats(-(2.0**66), 2.0**66, width=32)


def counted(*parts):
    seen = Histogram()
    for part in parts:
        seen.add(np.asarray(part, np.float32))
    return seen


def drawn(seed, kind):
    rng = np.random.default_rng(seed)
    values = {
        "normal": rng.normal(size=20_000),
        "relu": np.maximum(rng.normal(size=20_000), 0),
        "heavy": rng.standard_t(2, size=20_000),
        "shifted": rng.gamma(2, 3, 20_000) - 1,
        "outlier": np.append(rng.normal(size=20_000), 300),
    }[kind]
    return values.astype(np.float32)


KINDS = ("normal", "relu", "heavy", "shifted", "outlier")


@settings(max_examples=60, deadline=None)
@given(arrays.arrays(np.float32, st.integers(1, 200), elements=FLOATS), st.integers(1, 5))
def test_every_value_lies_in_its_bin_however_the_values_arrive(values, parts):
    seen = counted(*np.array_split(values, parts))
    low, high, counts = seen.bins()
    assert counts.sum() == values.size == seen.total
    assert (seen.low, seen.high) == (values.min(), values.max())
    inside = ((low <= values[:, None]) & (values[:, None] <= high)).any(1)
    assert inside.all()
    assert (high - low <= np.maximum(np.abs(low), np.abs(high)) / 128 + 1e-37).all()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("share", [0.0, 0.0003, 0.01, 0.5, 0.9, 0.9999, 1.0])
def test_quantiles_are_exact_to_a_bin(kind, share):
    values = drawn(1, kind)
    exact = np.quantile(values, share, method="nearest")
    around = np.sort(values)
    place = np.searchsorted(around, exact)
    near = around[max(0, place - 3)], around[min(values.size - 1, place + 3)]
    found = counted(values).quantile(share)
    assert near[0] - abs(near[0]) / 100 - 1e-6 <= found <= near[1] + abs(near[1]) / 100 + 1e-6


@pytest.mark.parametrize("kind", KINDS)
def test_minmax_is_exact(kind):
    values = drawn(2, kind)
    assert METHODS["minmax"](counted(values), 8, 99.99) == (values.min(), values.max())


def cost(values, low, high, bits=8):
    """What quantisation to a range does to the values, by definition."""
    scale = (high - low) / (2**bits - 1)
    zero = np.rint(-low / scale)
    codes = np.clip(np.rint(values / scale) + zero, 0, 2**bits - 1)
    return float(np.mean(((codes - zero) * scale - values) ** 2))


@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize("kind", KINDS)
def test_no_range_of_a_grid_has_much_less_error_than_that_of_mse(kind, bits):
    values = drawn(3, kind).astype(np.float64)
    low, high = METHODS["mse"](counted(values), bits, 99.99)
    ends = min(values.min(), 0), max(values.max(), 0)
    factors = 1.12 ** -np.arange(34.0)
    best = min(cost(values, ends[0] * a, ends[1] * b, bits) for a in factors for b in factors)
    assert cost(values, low, high, bits) <= best * 1.05
    assert cost(values, low, high, bits) <= cost(values, *ends, bits) * 1.001


def entropy_by_definition(counts, kept, levels):
    """The relative entropy as its source states it, group by group."""
    p = [float(c) for c in counts[:kept]]
    p[-1] += float(sum(counts[kept:]))
    q = [0.0] * kept
    for level in range(levels):
        mine = [i for i in range(kept) if i * levels // kept == level]
        filled = [i for i in mine if counts[i] > 0]
        for i in filled:
            q[i] = sum(counts[j] for j in mine) / len(filled)
    q = [1e-4 if a > 0 and b == 0 else b for a, b in zip(p, q, strict=True)]
    a, b = np.asarray(p) / sum(p), np.asarray(q) / sum(q)
    return float(sum(x * np.log(x / y) for x, y in zip(a, b, strict=True) if x > 0))


@pytest.mark.parametrize("kept", [128, 129, 200, 511, 777])
def test_relative_entropy_is_that_of_its_definition(kept):
    rng = np.random.default_rng(kept)
    counts = rng.poisson(3.0 * np.exp(-np.arange(800) / 120)).astype(np.float64)
    counts[kept - 1] *= kept % 2  # also where only what is limited falls into the last bin
    expected = entropy_by_definition(counts, kept, 128)
    assert divergence(counts, kept, 128) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_bins_of_equal_width_hold_the_magnitudes(kind):
    values = drawn(4, kind)
    counts, width = absolute_counts(counted(values))
    expected, _ = np.histogram(np.abs(values[values != 0]), len(counts), (0, len(counts) * width))
    assert counts.sum() == pytest.approx(np.count_nonzero(values))
    # What lies at an edge may fall to either side: sums from the left stay near.
    off = np.abs(np.cumsum(counts) - np.cumsum(expected))
    assert off.max() <= 0.01 * values.size


def test_entropy_leaves_outliers_out_and_keeps_what_is_even():
    far = METHODS["entropy"](counted(drawn(5, "outlier")), 8, 99.99)
    assert far[1] < 30
    even = np.linspace(-1, 1, 40_001)
    low, high = METHODS["entropy"](counted(even), 8, 99.99)
    assert (low, high) == (pytest.approx(-1, abs=0.05), pytest.approx(1, abs=0.05))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("values", [[0.0] * 9, [3.5] * 9, [-2.0] * 9, [1e-42, 0.0], [3e38, -3e38]])
def test_degenerate_values_have_a_range_around_zero(method, values):
    data = np.asarray(values, np.float32)
    ranges = observe(dict, [{"x": data}, {"x": data}], ["x"], Calibration(method))
    low, high = ranges["x"]
    assert low <= 0 <= high
    assert np.isfinite([low, high]).all()
    assert low >= min(0.0, data.min())
    assert high <= max(0.0, data.max())


@pytest.mark.parametrize("method", METHODS)
def test_samples_are_read_one_at_a_time(method):
    held, most = [], 0

    def samples():
        nonlocal most
        for seed in range(20):
            held.append(seed)
            most = max(most, len(held))
            yield {"x": drawn(seed, "normal")}

    def run(sample):
        held.pop()
        return sample

    observe(run, samples(), ["x"], Calibration(method))
    assert most == 1
