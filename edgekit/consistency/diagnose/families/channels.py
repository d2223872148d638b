"""Channels in another order, grey, and YUV that was decoded as something else."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np

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
from edgekit.pipeline import Array, Stage, Step, to_uint8
from edgekit.pipeline.stages import Colour, Geometry, Orientation
from edgekit.pipeline.stages.colour import LUMA, ORDERS, to_yuv


@family("channel-order", Aspect.COLOUR)
def channel_order(steps: Steps) -> Iterator[Made]:
    """Channels are in another order than the contract says."""
    if not on_images(steps):
        return
    current = next(iter(places(steps, Colour)), None)
    for order in ORDERS:
        what = f"channels are in the order {order.upper()}"
        if current is None:
            if order != "rgb":
                fix = f"reorder the channels from {order.upper()} to RGB before normalising"
                yield what, fix, inserted(steps, colour_place(steps), Step("channels", Colour(order)))
            continue
        index, step = current
        if isinstance(step.stage, Colour) and step.stage.order not in (order, "grey"):
            fix = f"reorder the channels from {order.upper()} to {step.stage.order.upper()}"
            yield what, fix, replaced(steps, index, Step(step.name, Colour(order)))


@family("grey", Aspect.COLOUR)
def grey(steps: Steps) -> Iterator[Made]:
    """Colour is lost, or grey is weighed otherwise."""
    found = [
        (i, s) for i, s in places(steps, Colour) if isinstance(s.stage, Colour) and s.stage.order == "grey"
    ]
    for index, step in found:
        for luma in LUMA:
            if isinstance(step.stage, Colour) and luma != step.stage.luma:
                fix = f"weigh the channels as {step.stage.luma.upper()} does"
                yield (
                    f"grey is weighed as {luma.upper()} does",
                    fix,
                    replaced(steps, index, Step(step.name, Colour("grey", luma))),
                )
        swapped = inserted(steps, index, Step("channels", Colour("bgr")))
        yield "grey is made from BGR with the weights of RGB", "swap red and blue before making grey", swapped
    if not found and on_images(steps):
        spread = inserted(steps, colour_place(steps), Step("grey", Grey()))
        yield "the image is grey in all channels", "capture in colour", spread


@family("yuv", Aspect.COLOUR)
def yuv(steps: Steps) -> Iterator[Made]:
    """The camera's YUV is decoded with another matrix or range, or U and V are swapped."""
    if not on_images(steps):
        return
    place = colour_place(steps)
    forms = list(product(LUMA, (False, True)))
    for (matrix, limited), (read_as, read_limited), swapped in product(forms, forms, (False, True)):
        if (matrix, limited) == (read_as, read_limited) and not swapped:
            continue
        if swapped and (matrix, limited) != (read_as, read_limited):
            continue  # two faults at once
        if swapped and (matrix, limited) != ("bt601", False):
            continue  # almost the same as with BT.601
        mix = Recoded(matrix, limited, read_as, read_limited, swapped)
        what = (
            "U and V are swapped"
            if swapped
            else f"YUV {form(matrix, limited)} is read as {form(read_as, read_limited)}"
        )
        fix = "swap U and V (NV12 and NV21)" if swapped else f"decode as {form(matrix, limited)}"
        yield what, fix, inserted(steps, place, Step("yuv", mix))


def form(matrix: str, limited: bool) -> str:
    """Returns the name of a YUV."""
    return f"{matrix.upper()} {'limited' if limited else 'full'} range"


def colour_place(steps: Steps) -> int:
    """Returns where geometry is done and colours are still pixels."""
    return max((i + 1 for i, _ in places(steps, Geometry, Orientation)), default=0)


@dataclass(frozen=True, slots=True)
class Grey(Stage):
    """Luma of BT.601 in all channels."""

    def apply(self, value: Array) -> Array:
        return np.repeat(Colour("grey").apply(value), 3, axis=2)


@dataclass(frozen=True, slots=True)
class Recoded(Stage):
    """RGB to YUV in one form and back in another."""

    matrix: str
    limited: bool
    read_as: str
    read_limited: bool
    swapped: bool = False

    def apply(self, value: Array) -> Array:
        mix, offset = to_yuv(self.matrix, self.limited)
        back, back_offset = to_yuv(self.read_as, self.read_limited)
        codes = value @ mix.T + offset
        if self.swapped:
            codes = codes[..., (0, 2, 1)]
        rgb = (codes - back_offset) @ np.linalg.inv(back).T
        return to_uint8(rgb) if value.dtype == np.uint8 else rgb.astype(value.dtype)
