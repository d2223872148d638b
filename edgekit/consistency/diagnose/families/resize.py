"""Another library's resize, or another kernel."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from edgekit.consistency.diagnose.fault import Aspect, Made, Steps, family, places, replaced
from edgekit.pipeline import Step
from edgekit.pipeline.stages import Letterbox, Resize
from edgekit.pipeline.stages.resize import FLAVOURS


@family("resize-kernel", Aspect.GEOMETRY)
def resize_kernel(steps: Steps) -> Iterator[Made]:
    """The image is resampled with another kernel, other coordinates or without antialiasing."""
    for index, step in places(steps, Resize, Letterbox):
        stage = step.stage
        assert isinstance(stage, Resize | Letterbox)
        now = FLAVOURS[stage.library][stage.kernel]
        seen = {(now.axis, now.rounding)}
        for library, flavours in FLAVOURS.items():
            for kernel, flavour in flavours.items():
                if (flavour.axis, flavour.rounding) in seen:
                    continue
                seen.add((flavour.axis, flavour.rounding))
                other = replace(stage, library=library, kernel=kernel)
                fix = f"resize as {stage.library} {stage.kernel} does"
                what = f"the image is resized as {library} {kernel} does"
                yield what, fix, replaced(steps, index, Step(step.name, other))
