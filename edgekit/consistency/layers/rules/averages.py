"""Means: of windows, which divide integers, and of whole axes, which scale a sum."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from edgekit.consistency.layers.rules.requantize import (
    fixed,
    in_float,
    saturated,
    shifted_once,
    shifted_twice,
)
from edgekit.consistency.layers.rules.table import Case, predicts
from edgekit.ir import Quant
from edgekit.runners import Array


@predicts("AVERAGE_POOL_2D", name="the mean of codes, halves away from zero (TFLite)")
def average_pool(case: Case) -> Array | None:
    """AVERAGE_POOL_2D divides the sum of the codes themselves, and rounds halves away from zero."""
    quant, attrs = case.result.quant, case.op.attrs
    if quant is None:
        return None
    sums, counts = _pooled(case)
    up = np.where(sums > 0, sums + counts // 2, sums - counts // 2)
    means = np.where(up >= 0, up // counts, -((-up) // counts))
    activation = attrs.get("fused_activation_function", "NONE")
    zero = quant.zero_point[0]
    return saturated(means - zero, zero, case.result.dtype, activation, quant.scale[0])


def _pooled(case: Case) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Returns the sums of codes in each window, and how many lie in the image."""
    attrs, image = case.op.attrs, case.codes(0).astype(np.int64)
    kernel = (attrs["filter_height"], attrs["filter_width"])
    strides = (attrs["stride_h"], attrs["stride_w"])
    pads = [(0, 0), (0, 0)]
    if attrs["padding"] == "SAME":
        needed = [
            max(0, (-(-s // t) - 1) * t + k - s)
            for s, t, k in zip(image.shape[1:3], strides, kernel, strict=True)
        ]
        pads = [(n // 2, n - n // 2) for n in needed]
    around = ((0, 0), *pads, (0, 0))

    def summed(array: NDArray[np.int64]) -> NDArray[np.int64]:
        views = sliding_window_view(np.pad(array, around), kernel, axis=(1, 2))
        sums: NDArray[np.int64] = views[:, :: strides[0], :: strides[1]].sum((-2, -1))
        return sums

    return summed(image), summed(np.ones_like(image))


@dataclass(frozen=True, slots=True)
class _Mean:
    """The codes of MEAN less their zero point, summed."""

    sums: NDArray[np.int64]
    count: int
    ratio: float
    quant: Quant

    @classmethod
    def of(cls, case: Case) -> _Mean | None:
        """Sums over the axes; `None` without quantisation."""
        x, y = case.value(0).quant, case.result.quant
        if x is None or y is None:
            return None
        axes = tuple(int(a) for a in case.codes(1).reshape(-1))
        codes = case.codes(0).astype(np.int64) - x.zero_point[0]
        sums = np.asarray(codes.sum(axes, keepdims=bool(case.op.attrs.get("keep_dims"))))
        return cls(sums, codes.size // max(1, sums.size), x.scale[0] / y.scale[0], y)

    def finished(self, case: Case, whole: NDArray[np.int64]) -> Array:
        """Returns the codes."""
        return saturated(whole, self.quant.zero_point[0], case.result.dtype, "NONE", self.quant.scale[0])


@predicts("MEAN", name="float32 multiplier, half to even (XNNPACK)")
def mean_in_float(case: Case) -> Array | None:
    """MEAN scales the sum once, by a factor that is itself computed in float32."""
    mean, x = _Mean.of(case), case.value(0).quant
    if mean is None or x is None:
        return None
    scale = np.float32(x.scale[0]) / (np.float32(mean.count) * np.float32(mean.quant.scale[0]))
    return mean.finished(case, in_float(mean.sums, np.asarray(scale, np.float64)))


def mean_in_fixed_point(case: Case, shifted: Callable[..., NDArray[np.int64]]) -> Array | None:
    """MEAN divides its multiplier by the number of elements and drops the remainder."""
    mean = _Mean.of(case)
    if mean is None:
        return None
    multiplier, shift = (int(v) for v in fixed(np.asarray(mean.ratio)))
    more = min(mean.count.bit_length() - 1, 32, 31 + shift)
    return mean.finished(case, shifted(mean.sums, (multiplier << more) // mean.count, shift - more))


for _name, _shifted in (("once", shifted_once), ("twice", shifted_twice)):
    predicts("MEAN", name=f"a multiplier divided by the count, rounded {_name} (TFLite)")(
        partial(mean_in_fixed_point, shifted=_shifted)
    )
