"""Reals become integers in another way: parameters ignored, cut off, wrapped, signs mixed up."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from edgekit.consistency.diagnose.fault import Aspect, Made, Steps, family, inserted, places, replaced
from edgekit.pipeline import Array, Stage, Step
from edgekit.pipeline.stages import Dequantise, Quantise


@family("quantisation", Aspect.MEMORY)
def quantisation(steps: Steps) -> Iterator[Made]:
    """Scale or zero point are ignored, or the codes of int8 and uint8 are mixed up."""
    for index, step in places(steps, Quantise):
        stage = step.stage
        assert isinstance(stage, Quantise)
        fix = f"compute round(x / {stage.scale:.6g}) + {stage.zero_point}"
        if stage.zero_point:
            yield (
                "the zero point is ignored",
                fix,
                replaced(steps, index, Step(step.name, replace(stage, zero_point=0))),
            )
        yield "the scale is ignored", fix, replaced(steps, index, Step(step.name, replace(stage, scale=1.0)))
        yield (
            "reals are cut off instead of rounded",
            "round before the cast",
            replaced(steps, index, Step(step.name, Cast(stage, "truncate"))),
        )
        yield (
            "codes beyond the range wrap around",
            "saturate before the cast",
            replaced(steps, index, Step(step.name, Cast(stage, "wrap"))),
        )
        yield (
            "codes of int8 and uint8 are mixed up",
            "add or take away 128",
            inserted(steps, index + 1, Step("mixed-up", Flipped())),
        )
    for index, step in places(steps, Dequantise):
        other = step.stage
        assert isinstance(other, Dequantise)
        fix = f"compute (code - {other.zero_point}) * {other.scale:.6g}"
        yield (
            "codes are given raw, not as reals",
            fix,
            replaced(steps, index, Step(step.name, Dequantise(1.0))),
        )
        if other.zero_point:
            yield (
                "the zero point is ignored",
                fix,
                replaced(steps, index, Step(step.name, Dequantise(other.scale))),
            )
        yield "the scale is ignored", fix, replaced(steps, index, Step(step.name, replace(other, scale=1.0)))
        yield (
            "codes of int8 and uint8 are mixed up",
            "add or take away 128",
            inserted(steps, index, Step("mixed-up", Flipped())),
        )


def _truncate(codes: Array, dtype: str) -> Array:
    limits = np.iinfo(dtype)
    return np.clip(np.trunc(codes), limits.min, limits.max).astype(dtype)


def _wrap(codes: Array, dtype: str) -> Array:
    return np.rint(codes).astype(np.int64).astype(dtype)


_CASTS: dict[str, Callable[[Array, str], Array]] = {"truncate": _truncate, "wrap": _wrap}


@dataclass(frozen=True, slots=True)
class Cast(Stage):
    """Quantises with another cast."""

    stage: Quantise
    how: str

    def apply(self, value: Array) -> Array:
        codes = value.astype(np.float32) / np.float32(self.stage.scale) + self.stage.zero_point
        return _CASTS[self.how](codes, self.stage.dtype)


@dataclass(frozen=True, slots=True)
class Flipped(Stage):
    """Codes with their highest bit flipped: int8 of what was uint8, or the reverse."""

    def apply(self, value: Array) -> Array:
        if value.dtype not in (np.int8, np.uint8):
            return value
        return (value.view(np.uint8) ^ np.uint8(0x80)).view(value.dtype)
