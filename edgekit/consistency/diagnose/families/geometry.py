"""Another part of the image, or another way up."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from edgekit.consistency.diagnose.fault import (
    Aspect,
    Made,
    Steps,
    family,
    inserted,
    on_images,
    places,
    replaced,
)
from edgekit.pipeline import Step
from edgekit.pipeline.stages import Crop, CropSquare, Geometry, Letterbox, Orientation, Resize
from edgekit.pipeline.stages.geometry import TURNS


@family("orientation", Aspect.GEOMETRY)
def orientation(steps: Steps) -> Iterator[Made]:
    """The image is turned or mirrored: EXIF ignored or applied twice, sensor mounted otherwise."""
    if not on_images(steps):
        return
    current = next(iter(places(steps, Orientation)), None)
    for turn in TURNS:
        what = "the image is not turned" if turn == "none" else f"the image is turned: {turn}"
        if current is None:
            if turn != "none":
                yield what, f"undo the turn `{turn}`", inserted(steps, 0, Step("turn", Orientation(turn)))
            continue
        index, step = current
        if isinstance(step.stage, Orientation) and step.stage.turn != turn:
            fix = f"turn the image as the contract says: {step.stage.turn}"
            yield what, fix, replaced(steps, index, Step(step.name, Orientation(turn)))


@family("fit", Aspect.GEOMETRY)
def fit(steps: Steps) -> Iterator[Made]:
    """The aspect ratio is handled otherwise: stretched, cropped or padded."""
    moving = list(places(steps, Geometry))
    if not moving:
        return
    first, last = moving[0][0], moving[-1][0]
    now = steps[first : last + 1]
    if any(not isinstance(s.stage, Geometry) for s in now):
        return
    size, library, kernel = _target(now)
    said = ", then ".join(str(s.stage.kind) for s in now if s.stage is not None)
    for what, stages in _ways(size, library, kernel, [s.stage for s in now]):
        changed = tuple(Step(f"fit-{i}", stage) for i, stage in enumerate(stages))
        if [s.stage for s in changed] != [s.stage for s in now]:
            yield (
                what,
                f"fit the image as the contract says: {said}",
                (*steps[:first], *changed, *steps[last + 1 :]),
            )


def _target(now: Steps) -> tuple[tuple[int, int], str, str]:
    """Returns size, library and kernel of a chain of geometry."""
    sized = next(s.stage for s in reversed(now) if isinstance(s.stage, Resize | Crop | Letterbox))
    resampled = next((s.stage for s in now if isinstance(s.stage, Resize | Letterbox)), None)
    return sized.size, getattr(resampled, "library", "pillow"), getattr(resampled, "kernel", "bilinear")


def _ways(
    size: tuple[int, int], library: str, kernel: str, now: list[object]
) -> Iterator[tuple[str, tuple[Geometry, ...]]]:
    stretched = Resize(size, library, kernel)
    yield "the image is stretched to the size", (stretched,)
    yield "the centre square is cut out, then resized", (CropSquare(), stretched)
    yield "the shorter side is fitted, then the centre is cut out", (
        Resize(size, library, kernel, "shorter"), Crop(size),
    )  # fmt: skip
    for share in (0.875,):
        larger = (round(size[0] / share), round(size[1] / share))
        yield f"only the inner {share:.1%} are used", (Resize(larger, library, kernel, "shorter"), Crop(size))
        yield f"the centre square of {share:.1%} is cut out, then resized", (CropSquare(share), stretched)
    old = next((s for s in now if isinstance(s, Letterbox)), None)
    for place, fill in ((p, f) for p in ("centre", "corner") for f in (114.0, 0.0, 128.0, 255.0)):
        box = Letterbox(size, library, kernel, fill, place)
        if old is not None and replace(box, fill=old.fill, place=old.place) != old and fill != old.fill:
            continue
        yield f"the image is letterboxed at the {place}, filled with {fill:g}", (box,)
