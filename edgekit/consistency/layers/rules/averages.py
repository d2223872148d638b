"""Means: of windows, which divide integers, and of whole axes, which scale a sum."""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from edgekit.consistency.layers.rules.requantize import FORMS, Round, saturated
from edgekit.consistency.layers.rules.table import Case, predicts
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


def mean(case: Case, form: Round) -> Array | None:
    """MEAN scales the sum of the codes less their zero points."""
    x, y = case.value(0).quant, case.result.quant
    if x is None or y is None:
        return None
    axes = tuple(int(a) for a in case.codes(1).reshape(-1))
    codes = case.codes(0).astype(np.int64) - x.zero_point[0]
    count = int(np.prod([codes.shape[a] for a in axes]))
    sums = codes.sum(axes, keepdims=bool(case.op.attrs.get("keep_dims")))
    scale = np.asarray(np.float64(x.scale[0]) / (np.float64(y.scale[0]) * count))
    return saturated(form(sums, scale), y.zero_point[0], case.result.dtype, "NONE", y.scale[0])


def mean_of_codes(case: Case, form: Round) -> Array | None:
    """MEAN as TFLite computes it: the zero point is a bias of the result, rounded by itself."""
    x, y = case.value(0).quant, case.result.quant
    if x is None or y is None:
        return None
    axes = tuple(int(a) for a in case.codes(1).reshape(-1))
    codes = case.codes(0).astype(np.int64)
    count = int(np.prod([codes.shape[a] for a in axes]))
    sums = codes.sum(axes, keepdims=bool(case.op.attrs.get("keep_dims")))
    real = np.float64(x.scale[0]) / np.float64(y.scale[0])
    bias = y.zero_point[0] - int(np.float32(x.zero_point[0] * np.float32(real)) + np.float32(0.5))
    return saturated(form(sums, np.asarray(real / count)), bias, case.result.dtype, "NONE", y.scale[0])


for _name, _form in FORMS.items():
    predicts("MEAN", name=_name)(partial(mean, form=_form))
    predicts("MEAN", name=f"{_name}, of codes")(partial(mean_of_codes, form=_form))
