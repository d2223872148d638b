"""What a Resize node says, read for any backend: scales, lengths, coordinates and region of each axis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edgekit.lowering.op import Op
from edgekit.lowering.resampling import Axis

WHOLE = (0.0, 1.0)
"""The region of interest that is the whole axis."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a Resize node says of one axis.

    Attributes:
        scale: The ratio of the lengths, or `None` where the length is given.
        out: The length, or `None` where the ratio is given.
        coordinates: The coordinate transformation.
        roi: The region of interest.
    """

    scale: np.float32 | None
    out: int | None
    coordinates: str
    roi: tuple[float, float]

    def axis(self, n: Op, size: int) -> Axis:
        """Returns how an axis of a given length is resampled."""
        if self.scale is None:
            assert self.out is not None
            return Axis(size, self.out, np.float32(self.out) / np.float32(size), self.coordinates, self.roi)
        length = self.scale * np.float32(size)
        out = int(length) if self.out is None else self.out
        if out < 1:
            n.refuse("a result without elements")
        if self.out is None and length != out and self._depends_on_length(out):
            n.refuse(
                f"`{self.coordinates}` with a scale of {self.scale} for {size} elements: "
                "ONNX does not say whether the length is rounded before or after"
            )
        return Axis(size, out, self.scale, self.coordinates, self.roi)

    def _depends_on_length(self, out: int) -> bool:
        """Tells whether the coordinates depend on the length of the result, which is rounded."""
        if self.coordinates == "pytorch_half_pixel":
            return out == 1
        return self.coordinates in ("align_corners", "tf_crop_and_resize")


def read(n: Op) -> dict[int, Wanted]:
    """Reads scales, sizes, roi and the policy for each axis that may change.

    Source: ONNX operator schema of Resize.
    """
    x = n.operand(0)
    axes = [a % x.rank for a in n.attr("axes") or range(x.rank)]
    coordinates = n.attr("coordinate_transformation_mode") or "half_pixel"
    roi = [0.0] * len(axes) + [1.0] * len(axes)
    if coordinates == "tf_crop_and_resize":
        roi = n.known(1, "roi").reshape(-1).tolist()
    regions = list(zip(roi[: len(axes)], roi[len(axes) :], strict=True))
    if n.input(3) is None or n.operand(3).shape == (0,):
        scales = n.known(2, "scales").astype(np.float32)
        return {
            a: Wanted(s, None, coordinates, r)
            for a, s, r in zip(axes, scales, regions, strict=True)
            if s != 1 or r != WHOLE
        }
    sizes = _sizes(n, axes)
    if (n.attr("keep_aspect_ratio_policy") or "stretch") == "stretch":
        return {
            a: Wanted(None, s, coordinates, r)
            for a, s, r in zip(axes, sizes, regions, strict=True)
            if s is not None and (s != x.shape[a] or r != WHOLE)
        }
    return _keeping_ratio(n, axes, n.known(3, "sizes").tolist(), coordinates, regions)


def _sizes(n: Op, axes: Sequence[int]) -> list[int | None]:
    """Returns the new length of each axis; `None` for one that keeps a length known only at run time."""
    given = n.const(3)
    if given is not None:
        return [int(size) for size in given]
    before, after = n.node.inputs[0], n.node.outputs[0].shape
    if before is None or before.shape is None or after is None:
        n.refuse("`sizes` are computed at run time and their number is unknown", code="EK305")
    lengths: list[int | None] = []
    for a in axes:
        old, new = before.shape[a], after[a]
        if isinstance(new, int):
            lengths.append(new)
        elif old == new and getattr(new, "value", None) is not None:
            lengths.append(None)
        else:
            n.refuse(f"`sizes` are computed at run time, and inference does not find axis {a}", code="EK305")
    return lengths


def _keeping_ratio(
    n: Op, axes: Sequence[int], sizes: Sequence[int], coordinates: str, regions: Sequence[tuple[float, float]]
) -> dict[int, Wanted]:
    """One ratio for all axes, so that no length is exceeded (`not_larger`) or missed (`not_smaller`)."""
    before = [n.operand(0).shape[a] for a in axes]
    if None in before:
        n.refuse("`keep_aspect_ratio_policy` on a size known only at run time", code="EK305")
    ratios = [np.float32(s) / np.float32(d or 1) for s, d in zip(sizes, before, strict=True)]
    scale = min(ratios) if n.attr("keep_aspect_ratio_policy") == "not_larger" else max(ratios)
    lengths = [int(np.floor(scale * np.float32(d or 0) + np.float32(0.5))) for d in before]
    return {
        a: Wanted(scale, length, coordinates, r) for a, length, r in zip(axes, lengths, regions, strict=True)
    }
