"""The ranges of activations over the calibration samples."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.diagnostics import error
from edgekit.quantize.histogram import Histogram
from edgekit.quantize.methods import METHODS

Array = NDArray[Any]
Ranges = Mapping[str, tuple[float, float]]
"""Lowest and highest value of a tensor, by its name."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """How ranges follow from observed values.

    Attributes:
        method: `minmax`, `percentile`, `entropy` or `mse`; see `methods`.
        percentile: Share of the values, in percent, that lies inside (`percentile` only).
        bits: Bits of a code of an activation (`entropy`, `mse`).
    """

    method: str = "minmax"
    percentile: float = 99.99
    bits: int = 8

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            choices = ", ".join(f"`{m}`" for m in METHODS)
            raise error("EK204", f"there is no calibration `{self.method}`", notes=(f"methods: {choices}",))
        if not 50 < self.percentile <= 100:
            raise error("EK202", f"the percentile {self.percentile} is not above 50 and up to 100")


def observe(
    run: Callable[[Mapping[str, Array]], Mapping[str, Array]],
    samples: Iterable[Mapping[str, Array]],
    names: Sequence[str],
    calibration: Calibration,
) -> dict[str, tuple[float, float]]:
    """Runs the samples and returns the range of each tensor; one sample is held at a time.

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
    seen: dict[str, Histogram | _Extremes] = {}
    make = _Extremes if calibration.method == "minmax" else Histogram
    count = 0
    for sample in samples:
        count += 1
        given = run(sample)
        for name in names:
            values = given.get(name)
            if values is None or not values.size:
                continue
            if not np.isfinite(values).all():
                raise error("EK403", f"the tensor `{name}` is not finite on calibration sample {count}")
            seen.setdefault(name, make()).add(values)
    if not count:
        raise error("EK403", "there are no samples to calibrate with", help="give some with `--calibrate`")
    return {name: _range(one, calibration) for name, one in seen.items()}


@dataclass(slots=True)
class _Extremes:
    """The smallest and the largest value: all that min-max needs."""

    low: float = np.inf
    high: float = -np.inf

    def add(self, values: Array) -> None:
        self.low, self.high = min(self.low, float(values.min())), max(self.high, float(values.max()))


def _range(seen: Histogram | _Extremes, calibration: Calibration) -> tuple[float, float]:
    low, high = seen.low, seen.high
    if isinstance(seen, Histogram):
        low, high = METHODS[calibration.method](seen, calibration.bits, calibration.percentile)
    return min(low, 0.0), max(high, 0.0)
