"""Functions of one element: tables of 256 entries, and the fixed point of HARD_SWISH.

Sources: TensorFlow Lite's `kernels/activations.cc` and `internal/reference/hard_swish.h`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray

from edgekit.consistency.layers.rules.requantize import fixed, saturated
from edgekit.consistency.layers.rules.table import Case, predicts
from edgekit.runners import Array

_Function = Callable[[NDArray[np.float32]], NDArray[np.float32]]
_FUNCTIONS: dict[str, _Function] = {
    "LOGISTIC": lambda x: (1 / (1 + np.exp(-x))).astype(np.float32),
    "TANH": lambda x: np.tanh(x),
}


def tabulated(case: Case, *, to_even: bool) -> Array | None:
    """The function of every code, rounded once."""
    x, y = case.value(0).quant, case.result.quant
    if x is None or y is None or case.result.dtype.itemsize != 1:
        return None
    reals = (case.codes(0).astype(np.float32) - np.float32(x.zero_point[0])) * np.float32(x.scale[0])
    with np.errstate(over="ignore"):
        ratio = _FUNCTIONS[case.op.op](reals) / np.float32(y.scale[0])
    whole = np.rint(ratio) if to_even else np.sign(ratio) * np.floor(np.abs(ratio) + 0.5)
    return saturated(whole.astype(np.int64), y.zero_point[0], case.result.dtype, "NONE", y.scale[0])


predicts(*_FUNCTIONS, name="a table, half to even (XNNPACK)")(partial(tabulated, to_even=True))
predicts(*_FUNCTIONS, name="a table, halves away from zero (TFLite)")(partial(tabulated, to_even=False))


@predicts("HARD_SWISH", name="fixed point of 16 bits (TFLite)")
def hard_swish(case: Case) -> Array | None:
    """HARD_SWISH in int16: seven bits more than the input, products that round to the high half."""
    x, y = case.value(0).quant, case.result.quant
    if x is None or y is None:
        return None
    hires = np.float32(np.float32(1 / 128) * np.float32(x.scale[0]))
    up, up_shift = _fixed16(np.float64(hires) / np.float64(np.float32(3.0 / 32768.0)))
    out, out_shift = _fixed16(np.float64(hires) / np.float64(y.scale[0]))
    value = (case.codes(0).astype(np.int64) - x.zero_point[0]) << 7
    scaled = _high(value, out)
    gate = value
    if up_shift > 0:
        gate = np.clip(gate << (up_shift - 1), -32768, 32767)
    gate = _high(gate, up)
    if up_shift > 0:
        gate = np.clip(gate << 1, -32768, 32767)
    elif up_shift < 0:
        gate = _halved(gate, -up_shift)
    gate = (gate + (1 << 15)) >> 1
    whole = (
        _halved((gate * scaled) >> 15, -out_shift) if out_shift <= 0 else ((gate * scaled) >> 15) << out_shift
    )
    return saturated(whole, y.zero_point[0], case.result.dtype, "NONE", y.scale[0])


def _fixed16(scale: float) -> tuple[int, int]:
    multiplier, shift = fixed(np.asarray(scale, np.float64))
    return min(32767, (int(multiplier) + (1 << 15)) >> 16), int(shift)


def _high(a: NDArray[np.int64], b: int) -> NDArray[np.int64]:
    """The high half of a doubled 16-bit product, halves up."""
    product = a * b
    nudge = np.where(product >= 0, 1 << 14, 1 - (1 << 14))
    total = product + nudge
    return np.where(total >= 0, total >> 15, -((-total) >> 15))


def _halved(value: NDArray[np.int64], exponent: int) -> NDArray[np.int64]:
    """Divides by a power of two, halves away from zero."""
    mask = (1 << exponent) - 1
    threshold = (mask >> 1) + (value < 0)
    return (value >> exponent) + ((value & mask) > threshold)
