"""A few rows and columns of an image, as any chain of geometry makes them: what the search looks at.

Rows and columns are resampled each by a matrix, so that a part of the result costs a part of the work.
Rounding between stages is left out; the search only ranks, and what it finds is confirmed by the stages
themselves.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgekit.consistency.diagnose.fault import Steps
from edgekit.pipeline import Array, Geometry, Unfit
from edgekit.pipeline.resample import along
from edgekit.pipeline.stages import Layout, Letterbox, Orientation

_BLOCK = 12
_BLOCKS = 4


@dataclass(frozen=True, slots=True)
class Parts:
    """The steps of an image pipeline.

    Attributes:
        before: Steps on the whole image, before geometry.
        moving: Geometry and orientation, next to each other.
        points: Steps on pixels, up to the layout.
        rest: The layout and what follows.
    """

    before: Steps
    moving: Steps
    points: Steps
    rest: Steps


def parts_of(steps: Steps) -> Parts | None:
    """Splits steps; `None` if they are no image pipeline with geometry in one place."""
    moving = [i for i, s in enumerate(steps) if isinstance(s.stage, Geometry | Orientation)]
    layout = next((i for i, s in enumerate(steps) if isinstance(s.stage, Layout)), len(steps))
    if not moving or moving[-1] - moving[0] + 1 != len(moving) or layout < moving[-1]:
        return None
    first, last = moving[0], moving[-1] + 1
    return Parts(steps[:first], steps[first:last], steps[last:layout], steps[layout:])


def picks(length: int) -> Array:
    """Returns positions along an axis: blocks spread over it, or all of a short one."""
    if length <= _BLOCK * _BLOCKS:
        return np.arange(length)
    begins = np.linspace(0, length - _BLOCK, _BLOCKS).astype(int)
    return np.concatenate([np.arange(b, b + _BLOCK) for b in begins])


def moved(steps: Steps, image: Array, shape: tuple[int, int]) -> Array | None:
    """Returns the picked rows and columns of what a chain of geometry makes of an image.

    Args:
        steps: Geometry and orientation only.
        image: Shape [height, width, channels].
        shape: Height and width that the result must have.

    Returns:
        float64 of shape [rows, columns, channels]; `None` if the chain gives another shape.
    """
    turned, resampled = _turned(steps, image)
    chain = None if turned is None else _chained(resampled, *turned.shape[:2])
    if chain is None or turned is None or (len(chain.rows), len(chain.columns)) != shape:
        return None
    rows, columns = chain.rows[picks(shape[0])], chain.columns[picks(shape[1])]
    shares = rows.sum(axis=1)[:, None] * columns.sum(axis=1)
    pixels: Array = along(columns, along(rows, turned, 0), 1) + (chain.fill * (1 - shares))[..., None]
    return pixels


def _turned(steps: Steps, image: Array) -> tuple[Array | None, Steps]:
    """Returns the image behind the orientations in front, and the steps that follow."""
    for index, step in enumerate(steps):
        if not isinstance(step.stage, Orientation):
            later = any(isinstance(s.stage, Orientation) for s in steps[index:])
            return (None if later else image), steps[index:]
        image = step.stage.apply(image)
    return image, ()


@dataclass(frozen=True, slots=True, eq=False)
class _Chain:
    """Geometry as one matrix for rows and one for columns.

    Attributes:
        rows: Shares of input rows; zeros where nothing of the image is.
        columns: The same for columns.
        fill: What stands where nothing of the image is.
    """

    rows: Array
    columns: Array
    fill: float = 0.0


def _chained(steps: Steps, height: int, width: int) -> _Chain | None:
    chain = _Chain(np.eye(height), np.eye(width))
    for number, step in enumerate(steps):
        if not isinstance(step.stage, Geometry):
            return None
        try:
            rows, columns = step.stage.matrices(len(chain.rows), len(chain.columns))
        except Unfit:
            return None
        fill = step.stage.fill if isinstance(step.stage, Letterbox) else chain.fill
        both = (rows, columns) if number == 0 else (rows @ chain.rows, columns @ chain.columns)
        chain = _Chain(*both, fill)
    return chain


def image_of(rest: Steps, device: Array) -> Array | None:
    """Returns the picked rows and columns of an observed tensor as [rows, columns, channels]."""
    if rest and isinstance(rest[0].stage, Layout):
        if device.ndim != 4 or device.shape[0] != 1:
            return None
        device = device[0].transpose(1, 2, 0) if rest[0].stage.order == "nchw" else device[0]
    if device.ndim != 3:
        return None
    return device[picks(device.shape[0])][:, picks(device.shape[1])]
