"""Schemes: which integers stand for weights and activations; and how calibration finds their ranges."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from edgekit.diagnostics import error


@dataclass(frozen=True, slots=True)
class Scheme:
    """A way to quantise. Activations are int8, asymmetric, one scale per tensor; biases are int32.

    Attributes:
        name: Its name.
        per_channel: Whether each output channel of the weights (int8, symmetric) has a scale of its own.
    """

    name: str
    per_channel: bool


SCHEMES: Mapping[str, Scheme] = {s.name: s for s in (Scheme("int8", True), Scheme("int8-per-tensor", False))}
METHODS = ("minmax", "percentile")


@dataclass(frozen=True, slots=True)
class Calibration:
    """How ranges follow from observed values.

    Attributes:
        method: `minmax` takes the smallest and largest value; `percentile` leaves out the outermost.
        percentile: Share of the values, in percent, that lies inside (`percentile` only).
    """

    method: str = "minmax"
    percentile: float = 99.99

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            choices = ", ".join(f"`{m}`" for m in METHODS)
            raise error("EK204", f"there is no calibration `{self.method}`", notes=(f"methods: {choices}",))
        if not 50 < self.percentile <= 100:
            raise error("EK202", f"the percentile {self.percentile} is not above 50 and up to 100")


def scheme_named(name: str) -> Scheme:
    """Returns a scheme.

    Raises:
        EdgekitError: EK204 if there is none of this name.
    """
    if name not in SCHEMES:
        raise error("EK204", f"there is no scheme `{name}`", notes=(f"schemes: {', '.join(SCHEMES)}",))
    return SCHEMES[name]
