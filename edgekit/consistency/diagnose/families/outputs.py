"""What is done with the model's outputs: activation, labels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from edgekit.consistency.diagnose.fault import Aspect, Made, Steps, family, inserted, places, replaced
from edgekit.pipeline import Array, Stage, Step
from edgekit.pipeline.stages import Dequantise, Sigmoid, Softmax


@family("activation", Aspect.NUMBERS)
def activation(steps: Steps) -> Iterator[Made]:
    """Softmax or sigmoid is missing, applied twice, or the other one is taken."""
    for index, step in places(steps, Softmax, Sigmoid):
        kind = step.stage.kind if step.stage else ""
        other = Sigmoid() if isinstance(step.stage, Softmax) else Softmax()
        yield f"{kind} is missing", f"apply {kind}", replaced(steps, index)
        yield (
            f"{kind} is applied twice",
            f"apply {kind} once; the model may contain it",
            inserted(steps, index, Step("twice", step.stage)),
        )
        yield (
            f"{other.kind} is applied instead of {kind}",
            f"apply {kind}",
            replaced(steps, index, Step(step.name, other)),
        )


@family("label-offset", Aspect.MEMORY)
def label_offset(steps: Steps) -> Iterator[Made]:
    """Classes are counted from another number: a background class too many or too few."""
    if not any(places(steps, Softmax, Sigmoid, Dequantise)):
        return
    for offset in (1, -1):
        what = f"classes are shifted by {offset:+d}"
        yield (
            what,
            "take the label file that belongs to the model",
            (*steps, Step("shifted", Shifted(offset))),
        )


@dataclass(frozen=True, slots=True)
class Shifted(Stage):
    """Scores moved along the last axis."""

    offset: int

    def apply(self, value: Array) -> Array:
        return np.roll(value, self.offset, axis=-1)
