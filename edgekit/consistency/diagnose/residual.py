"""How far a prediction is from what a device gave, in units of its grain; and whether what is left is noise.

The *grain* of a tensor is the smallest difference that means something: one code of an integer tensor, one
level of an 8-bit image behind the stages that follow it, rounding in floats. A prediction explains the
device when what is left is below one grain and has no structure: a fault that is not in the library (a gamma
curve, say) may leave little, but what it leaves follows the image.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edgekit.consistency.diagnose.fault import Steps
from edgekit.pipeline import Array, Geometry, Unfit, run_steps

FLOAT_GRAIN = 2.0**-16
"""Of the range of a float tensor: some tens of roundings of float32."""
HALF_GRAIN = 2.0**-9
"""Of the range of a tensor that the device stores as float16."""
FLOOR = 1.0
"""Root mean square of what noise may leave, in grains."""
STRUCTURE = 0.1
"""Share of the residual's energy that may follow the prediction, before it is not noise."""
TRACE = 0.05
"""Residuals below this many grains are not asked for structure: they are rounding."""


@dataclass(frozen=True, slots=True)
class Fit:
    """How well a prediction fits.

    Attributes:
        energy: Sum of squared differences, in grains squared.
        count: Elements.
        structure: Share of the energy that follows the prediction.
    """

    energy: float
    count: int
    structure: float

    @property
    def rms(self) -> float:
        """Root mean square difference, in grains."""
        return float(np.sqrt(self.energy / self.count)) if self.count else 0.0

    @property
    def explains(self) -> bool:
        """Whether what is left is noise."""
        return self.rms <= TRACE or (self.rms <= FLOOR and self.structure <= STRUCTURE)


NOTHING = Fit(float("inf"), 1, 1.0)
"""The fit of a prediction that cannot be laid beside what the device gave."""


def predict(steps: Steps, value: Array) -> Array | None:
    """Runs steps; `None` where they are not defined on the value."""
    try:
        values = run_steps(steps, value)
    except (Unfit, ValueError):
        return None
    return list(values.values())[-1] if values else value


def grain_of(steps: Steps, value: Array, device: Array) -> float:
    """Returns the grain of the tensor that steps give.

    Args:
        steps: The contract's.
        value: An input.
        device: What the device gave.
    """
    if device.dtype.kind in "iub":
        return 1.0
    span = float(np.ptp(device[np.isfinite(device)])) if np.isfinite(device).any() else 0.0
    rounding = (HALF_GRAIN if device.dtype == np.float16 else FLOAT_GRAIN) * span
    return max(rounding, _pixel(steps, value), float(np.finfo(np.float32).tiny))


def _pixel(steps: Steps, value: Array) -> float:
    """Returns what a level of the resampled 8-bit image is worth at the end; 0 if there is none."""
    last = max((i for i, s in enumerate(steps) if isinstance(s.stage, Geometry)), default=None)
    if last is None:
        return 0.0
    image = predict(steps[: last + 1], value)
    if image is None or image.dtype != np.uint8:
        return 0.0
    up = np.where(image < 255, image + 1, image - 1).astype(np.uint8)
    one, two = predict(steps[last + 1 :], image), predict(steps[last + 1 :], up)
    if one is None or two is None:
        return 0.0
    return float(np.sqrt(np.mean(np.square(one.astype(np.float64) - two))))


def fit(predictions: Sequence[Array | None], device: Sequence[Array], grain: float) -> Fit:
    """Compares predictions with what the device gave, over all samples."""
    energy, count, shares = 0.0, 0, []
    for one, two in zip(predictions, device, strict=True):
        if one is None or one.shape != two.shape or not np.isfinite(one).all():
            return NOTHING
        error = (two.astype(np.float64) - one) / grain
        error = np.where(
            np.isfinite(error), error, 1e6
        )  # what is not finite on the device alone is never noise
        square = float(np.sum(np.square(error)))
        energy += square
        count += error.size
        shares.append(_structure(error, one.astype(np.float64)) if square else 0.0)
    return Fit(energy, count, max(shares, default=0.0))


def _structure(error: Array, prediction: Array) -> float:
    """Returns the share of the error's energy that a quadratic of the prediction accounts for."""
    x = prediction.reshape(-1)
    spread = float(x.std())
    x = (x - x.mean()) / (spread or 1.0)
    features = np.stack([np.ones_like(x), x, x * x - 1], axis=1)
    e = error.reshape(-1)
    solution, *_ = np.linalg.lstsq(features, e, rcond=None)
    followed = float(np.sum(np.square(features @ solution)))
    return followed / float(np.sum(np.square(e)))
