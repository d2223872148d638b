"""Sums of products: convolutions and fully connected layers, exact in integers up to their rounding."""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from edgekit.consistency.layers.rules.requantize import FORMS, Round, saturated
from edgekit.consistency.layers.rules.table import Case, predicts
from edgekit.lowering.tflite.dialect import conv_size
from edgekit.runners import Array

_LARGEST = 1 << 28
"""Products of a convolution, above which it is not computed anew."""


def _rounded(case: Case, sums: NDArray[np.int64], form: Round) -> Array | None:
    x, w, y = case.value(0).quant, case.value(1).quant, case.result.quant
    if x is None or w is None or y is None:
        return None
    if case.has(2):
        sums = sums + case.codes(2).astype(np.int64)
    scale = np.float64(x.scale[0]) * np.asarray(w.scale, np.float64) / np.float64(y.scale[0])
    activation = case.op.attrs.get("fused_activation_function", "NONE")
    return saturated(form(sums, scale), y.zero_point[0], case.result.dtype, activation, y.scale[0])


def fully_connected(case: Case, form: Round) -> Array | None:
    """Rows of the input times the weights."""
    x, w = case.value(0).quant, case.value(1).quant
    if x is None or w is None:
        return None
    weights = _weights(case)
    rows = case.codes(0).reshape(-1, weights.shape[1]).astype(np.float64) - x.zero_point[0]
    made = _rounded(case, (rows @ weights.T).astype(np.int64), form)
    shape = case.result.static_shape
    return made if made is None or shape is None or made.size != np.prod(shape) else made.reshape(shape)


def convolution(case: Case, form: Round) -> Array | None:
    """Windows of the image times the weights, with one group or a channel each."""
    x = case.value(0).quant
    weights = _weights(case)
    depthwise = case.op.op == "DEPTHWISE_CONV_2D"
    windows = None if x is None else _windows(case, weights.shape[1:3])
    if windows is None or (not depthwise and windows.shape[3] != weights.shape[3]):
        return None
    places = int(np.prod(windows.shape[:3])) * weights.size
    if places > _LARGEST:
        return None
    if depthwise:
        times = weights.shape[3] // windows.shape[3]
        repeated = np.repeat(windows, times, axis=3)
        sums = np.einsum("nhwckl,klc->nhwc", repeated, weights[0])
    else:
        sums = np.einsum("nhwckl,oklc->nhwo", windows, weights, optimize=True)
    return _rounded(case, sums.astype(np.int64), form)


def _weights(case: Case) -> NDArray[np.float64]:
    w = case.value(1).quant
    zero = 0 if w is None or len(set(w.zero_point)) > 1 else w.zero_point[0]
    return case.codes(1).astype(np.float64) - zero


def _windows(case: Case, kernel: tuple[int, ...]) -> NDArray[np.float64] | None:
    """Returns the windows (N, H, W, C, kernel), zero where they reach beyond the image."""
    x, attrs = case.value(0).quant, case.op.attrs
    assert x is not None
    image = case.codes(0).astype(np.float64) - x.zero_point[0]
    strides = [attrs[f"stride_{a}"] for a in "hw"]
    dilations = [attrs.get(f"dilation_{a}_factor", 1) for a in "hw"]
    pads = []
    for size, taps, stride, dilation in zip(image.shape[1:3], kernel, strides, dilations, strict=True):
        count = conv_size(size, taps, stride, dilation, attrs["padding"]) or 0
        total = max(0, (count - 1) * stride + (taps - 1) * dilation + 1 - size)
        pads.append((total // 2, total - total // 2))
    padded = np.pad(image, ((0, 0), *pads, (0, 0)))
    extent = tuple((k - 1) * d + 1 for k, d in zip(kernel, dilations, strict=True))
    if padded.shape[1] < extent[0] or padded.shape[2] < extent[1]:
        return None
    views = sliding_window_view(padded, extent, axis=(1, 2))
    return views[:, :: strides[0], :: strides[1], :, :: dilations[0], :: dilations[1]]


for _name, _form in FORMS.items():
    predicts("CONV_2D", "DEPTHWISE_CONV_2D", name=_name)(partial(convolution, form=_form))
    predicts("FULLY_CONNECTED", name=_name)(partial(fully_connected, form=_form))
