"""The ranges of activations over the calibration samples."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.diagnostics import error
from edgekit.quantize.scheme import Calibration

Array = NDArray[Any]
Ranges = Mapping[str, tuple[float, float]]
"""Lowest and highest value of a tensor, by its name."""

KEPT = 4096
"""Values that are kept of a tensor per sample, evenly spaced in order; extremes are always among them."""


def observe(
    run: Callable[[Mapping[str, Array]], Mapping[str, Array]],
    samples: Iterable[Mapping[str, Array]],
    names: Sequence[str],
    calibration: Calibration,
) -> dict[str, tuple[float, float]]:
    """Runs the samples and returns the range of each tensor.

    Args:
        run: Runs the float model on one sample and returns its tensors by name.
        samples: The calibration samples.
        names: The tensors wanted.
        calibration: How a range follows from the values.

    Returns:
        A range for every tensor that the model gave, zero included.

    Raises:
        EdgekitError: EK403 without samples, or when a tensor is not finite.
    """
    kept: dict[str, list[Array]] = {name: [] for name in names}
    count = 0
    for sample in samples:
        count += 1
        given = run(sample)
        for name in names:
            if name in given and given[name].size:
                kept[name].append(_order_statistics(name, given[name]))
    if not count:
        raise error("EK403", "there are no samples to calibrate with", help="give some with `--calibrate`")
    return {name: _range(np.concatenate(parts), calibration) for name, parts in kept.items() if parts}


def _order_statistics(name: str, values: Array) -> Array:
    flat = np.sort(values, axis=None).astype(np.float32)
    if not np.isfinite(flat[[0, -1]]).all():
        raise error("EK403", f"the tensor `{name}` is not finite on the calibration samples")
    if flat.size <= KEPT:
        return flat
    return np.asarray(flat[np.linspace(0, flat.size - 1, KEPT).round().astype(np.int64)])


def _range(values: Array, calibration: Calibration) -> tuple[float, float]:
    share = 100.0 if calibration.method == "minmax" else calibration.percentile
    low, high = np.percentile(values, [100 - share, share])
    return min(float(low), 0.0), max(float(high), 0.0)
