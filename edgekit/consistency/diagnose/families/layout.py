"""Memory read in another order of axes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from edgekit.consistency.diagnose.fault import Aspect, Made, Steps, family, inserted, places
from edgekit.pipeline import Array, Stage, Step
from edgekit.pipeline.stages import Layout


@family("layout", Aspect.MEMORY)
def layout(steps: Steps) -> Iterator[Made]:
    """A buffer of one layout is read as another: reshaped instead of transposed, or rows as columns."""
    for index, step in places(steps, Layout):
        stage = step.stage
        assert isinstance(stage, Layout)
        other = "nhwc" if stage.order == "nchw" else "nchw"
        misread = Step("misread", Misread(stage.order))
        what = f"memory is {other.upper()} but read as {stage.order.upper()}"
        fix = f"transpose to {stage.order.upper()}, a reshape does not move elements"
        yield what, fix, inserted(steps, index + 1, misread)
        turned = Step("turned", Turned(stage.order))
        yield (
            "rows and columns are exchanged",
            "exchange height and width",
            inserted(steps, index + 1, turned),
        )


@dataclass(frozen=True, slots=True)
class Misread(Stage):
    """Elements in the memory order of the other layout."""

    order: str

    def apply(self, value: Array) -> Array:
        axes = (0, 2, 3, 1) if self.order == "nchw" else (0, 3, 1, 2)
        return np.ascontiguousarray(value.transpose(axes)).reshape(value.shape)


@dataclass(frozen=True, slots=True)
class Turned(Stage):
    """Elements in the memory order of the image lying on its side."""

    order: str

    def apply(self, value: Array) -> Array:
        axes = (0, 1, 3, 2) if self.order == "nchw" else (0, 2, 1, 3)
        return np.ascontiguousarray(value.transpose(axes)).reshape(value.shape)
