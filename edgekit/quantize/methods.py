"""How the range of a tensor follows from its values: min-max, percentile, entropy, mean squared error."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from edgekit.quantize.histogram import Floats, Histogram

Range = tuple[float, float]

_UNIFORM = 2048
"""Bins of equal width that relative entropy is computed on, as in its source."""
_ALMOST = 1e-4
"""What Q has in a bin where only P has values: the entropy stays finite."""
_SHRUNK = 1.08
"""Factor between one range and the next that the search for the least error tries."""
_STEPS = 48
"""Ranges tried at each end: the last is `1.08 ** -48`, a fortieth of the whole."""
_POINTS = 8
"""Points of a bin at which the error is computed."""


def minmax(seen: Histogram, bits: int, percentile: float) -> Range:
    """All values: `[min x, max x]`."""
    return seen.low, seen.high


def percentile(seen: Histogram, bits: int, percentile: float) -> Range:
    """From the (100 - p)-th to the p-th percentile: at each end the outermost are left out."""
    share = percentile / 100
    low, high = seen.quantile(1 - share), seen.quantile(share)
    return max(low, seen.low), min(high, seen.high)


def entropy(seen: Histogram, bits: int, percentile: float) -> Range:
    """The threshold T with the least relative entropy between values limited to T and their quantisation.

    With |x| counted in 2048 bins, for each number i of bins from `L = 2 ** (bits - 1)` on: P is the first
    i counts, those beyond added to the last; Q has the same first i counts, each of L groups of
    neighbours replaced by its mean over those that are not zero. The i with the least
    `sum P log(P / Q)` gives `T = i * width`. Values that are exactly zero count on neither side: zero
    always has a code of its own.

    Source: S. Migacz, 8-bit inference with TensorRT, GTC 2017 (slides 36 to 38).
    """
    counts, width = absolute_counts(seen)
    levels = 1 << (bits - 1)
    if levels >= _UNIFORM or not counts.sum():
        return seen.low, seen.high
    tried = range(levels, _UNIFORM + 1)
    best = min(tried, key=lambda i: divergence(counts, i, levels))
    limit = best * width
    return max(seen.low, -limit), min(seen.high, limit)


def absolute_counts(seen: Histogram) -> tuple[Floats, float]:
    """Returns how many magnitudes, zeros left out, lie in each of `_UNIFORM` equal bins, and their width."""
    limit = max(seen.high, -seen.low)
    edges = np.linspace(0.0, limit, _UNIFORM + 1)
    total = np.zeros(_UNIFORM + 1)
    low, high, counts = seen.bins()
    for near, far in ((low, high), (-high, -low)):
        mine = (far > 0) & (near >= 0)
        order = np.argsort(near[mine], kind="stable")
        total += _below(edges, near[mine][order], far[mine][order], counts[mine][order].astype(np.float64))
    return np.diff(total), limit / _UNIFORM


def _below(edges: Floats, starts: Floats, ends: Floats, counts: Floats) -> Floats:
    """Returns how many values lie at or below each edge."""
    if not counts.size:
        return np.zeros(edges.shape)
    before = np.concatenate([[0.0], np.cumsum(counts)])
    place = np.searchsorted(starts, edges, side="right") - 1
    inside = np.maximum(place, 0)
    width = ends[inside] - starts[inside]
    # A bin without width lies wholly at or below every edge from there on.
    part = np.divide(edges - starts[inside], width, out=np.ones(edges.shape), where=width > 0)
    part = np.clip(part, 0.0, 1.0)
    return np.where(place < 0, 0.0, before[inside] + part * counts[inside])


def divergence(counts: Floats, kept: int, levels: int) -> float:
    """Returns the relative entropy of the counts limited to the first `kept` bins and their quantisation.

    Args:
        counts: Of all bins.
        kept: How many bins are inside the threshold; at least `levels`.
        levels: How many codes there are.

    Returns:
        In nats. Where P has values and Q none, which is the last bin if only what is limited falls there, Q
        counts as `_ALMOST` of a value.
    """
    inside = counts[:kept]
    p = inside.copy()
    p[-1] += counts[kept:].sum()
    group = np.arange(kept) * levels // kept
    filled = inside > 0
    sums = np.bincount(group, inside, levels)
    members = np.bincount(group, filled, levels)
    q = np.where(filled, (sums / np.maximum(members, 1))[group], 0.0)
    mine = p > 0
    q = np.where(mine & (q == 0), _ALMOST, q)
    p, q = p[mine] / p.sum(), q[mine] / q.sum()
    return float(np.sum(p * np.log(p / q)))


def mse(seen: Histogram, bits: int, percentile: float) -> Range:
    """The range with the least `E[(x - Q(x))^2]`, found by shrinking one end at a time.

    Q rounds to `2 ** bits` evenly spaced codes and saturates. The ends are `min x * f` and `max x * f` with
    f from 1 down to about 1/40 in steps of 8 %; each end twice, with the other fixed.

    Source: as the clipping error in R. Banner et al., Post training 4-bit quantization of convolutional
    networks, NeurIPS 2019, with the sum over the histogram in place of a model of the distribution.
    """
    low, high, counts = seen.bins()
    at = (np.arange(_POINTS) + 0.5) / _POINTS
    points = (low[:, None] + (high - low)[:, None] * at).reshape(-1)
    weights = np.repeat(counts / _POINTS, _POINTS)
    ends = [min(seen.low, 0.0), max(seen.high, 0.0)]
    whole, factors = tuple(ends), _SHRUNK ** -np.arange(_STEPS + 1.0)
    for side in (1, 0, 1, 0):
        tried = [[*ends[:side], whole[side] * factor, *ends[side + 1 :]] for factor in factors]
        errors = [squared_error(points, weights, one[0], one[1], bits) for one in tried]
        ends = tried[int(np.argmin(errors))]
    return ends[0], ends[1]


def squared_error(points: Floats, weights: Floats, low: float, high: float, bits: int) -> float:
    """Returns the sum of squared errors of values after they were quantised to a range."""
    scale = (high - low) / ((1 << bits) - 1)
    if scale <= 0:
        return float(np.sum(weights * points**2))
    zero = np.rint(-low / scale)
    codes = np.clip(np.rint(points / scale) + zero, 0, (1 << bits) - 1)
    return float(np.sum(weights * ((codes - zero) * scale - points) ** 2))


Method = Callable[[Histogram, int, float], Range]
"""From the values, the bits of a code and the percentile to the range."""

METHODS: Mapping[str, Method] = {"minmax": minmax, "percentile": percentile, "entropy": entropy, "mse": mse}
