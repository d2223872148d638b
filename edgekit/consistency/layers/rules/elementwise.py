"""Sums and products of two tensors, and a change of scale.

Sources: XNNPACK's `qs8-vadd`, `qs8-vmul` and `qs8-vcvt` microkernels; TensorFlow Lite's `reference_ops`
for `Add`, `Sub`, `Mul` and `Requantize`.
"""

from __future__ import annotations

import math
from functools import partial

import numpy as np
from numpy.typing import NDArray

from edgekit.consistency.layers.rules.requantize import FORMS, Round, saturated
from edgekit.consistency.layers.rules.table import Case, predicts
from edgekit.ir import Quant
from edgekit.runners import Array


def _activation(case: Case) -> str:
    return str(case.op.attrs.get("fused_activation_function", "NONE"))


def _centred(case: Case, index: int) -> tuple[NDArray[np.int64], Quant] | None:
    quant = case.value(index).quant
    return None if quant is None else (case.codes(index).astype(np.int64) - quant.zero_point[0], quant)


def _finished(case: Case, whole: NDArray[np.int64]) -> Array:
    quant = case.result.quant
    assert quant is not None
    return saturated(whole, quant.zero_point[0], case.result.dtype, _activation(case), quant.scale[0])


def _sums(case: Case) -> tuple[NDArray[np.int64], Quant, NDArray[np.int64], Quant, Quant] | None:
    left, right, result = _centred(case, 0), _centred(case, 1), case.result.quant
    if left is None or right is None or result is None:
        return None
    sign = -1 if case.op.op == "SUB" else 1
    return left[0], left[1], sign * right[0], right[1], result


@predicts("ADD", "SUB", name="multipliers of 21 bits, halves up (XNNPACK)")
def added(case: Case) -> Array | None:
    """Both operands times short integers, one shift."""
    found = _sums(case)
    if found is None:
        return None
    a, qa, b, qb, y = found
    ratios = [np.float32(q.scale[0]) / np.float32(y.scale[0]) for q in (qa, qb)]
    exponent = math.frexp(float(max(ratios)))[1] - 1
    shift = 20 - exponent
    if not 0 < shift < 32:
        return None
    wa, wb = (int(np.rint(float(r) * 2.0**shift)) for r in ratios)
    return _finished(case, (a * wa + b * wb + (1 << (shift - 1))) >> shift)


def added_in_fixed_point(case: Case, form: Round) -> Array | None:
    """Both operands to a common scale of 20 more bits, their sum to the result's; each step rounds."""
    found = _sums(case)
    if found is None:
        return None
    a, qa, b, qb, y = found
    largest = 2 * max(qa.scale[0], qb.scale[0])
    scaled = [form(v << 20, np.asarray(q.scale[0] / largest)) for v, q in ((a, qa), (b, qb))]
    return _finished(case, form(scaled[0] + scaled[1], np.asarray(largest / ((1 << 20) * y.scale[0]))))


def multiplied(case: Case, form: Round) -> Array | None:
    """The exact product, scaled once."""
    left, right, y = _centred(case, 0), _centred(case, 1), case.result.quant
    if left is None or right is None or y is None:
        return None
    scale = np.asarray(left[1].scale[0] * right[1].scale[0] / y.scale[0])
    return _finished(case, form(left[0] * right[0], scale))


def rescaled(case: Case, form: Round) -> Array | None:
    """QUANTIZE of integers: another scale."""
    x, y = _centred(case, 0), case.result.quant
    if x is None or y is None:
        return None
    return _finished(case, form(x[0], np.asarray(x[1].scale[0] / y.scale[0])))


@predicts("QUANTIZE", name="a multiplier of 8 fractional bits, halves up (XNNPACK)")
def converted(case: Case) -> Array | None:
    """QUANTIZE of integers: a product with a short integer and a shift."""
    x, y = _centred(case, 0), case.result.quant
    if x is None or y is None:
        return None
    multiplier = int(np.rint(256 * np.float32(x[1].scale[0]) / np.float32(y.scale[0])))
    return _finished(case, (x[0] * multiplier + 128) >> 8)


@predicts("QUANTIZE", name="times the reciprocal of the scale (XNNPACK)")
def quantised_by_reciprocal(case: Case) -> Array | None:
    """QUANTIZE of reals: a product with 1 / scale in float32, half to even."""
    y = case.result.quant
    if y is None or case.value(0).dtype.kind != "f":
        return None
    reciprocal = np.float32(1) / np.float32(y.scale[0])
    return _finished(case, np.rint(np.clip(case.codes(0) * reciprocal, -1e6, 1e6)).astype(np.int64))


@predicts("QUANTIZE", name="halves away from zero (TFLite)")
def quantised_away(case: Case) -> Array | None:
    """QUANTIZE of reals: a quotient, whose halves are rounded away from zero."""
    y = case.result.quant
    if y is None or case.value(0).dtype.kind != "f":
        return None
    ratio = np.clip(case.codes(0) / np.float32(y.scale[0]), -1e6, 1e6)
    return _finished(case, (np.sign(ratio) * np.floor(np.abs(ratio) + np.float32(0.5))).astype(np.int64))


@predicts("LEAKY_RELU", name="multipliers of 8 fractional bits, halves up (XNNPACK)")
def leaky(case: Case) -> Array | None:
    """Each side of zero times a short integer, one shift."""
    x, y = _centred(case, 0), case.result.quant
    if x is None or y is None:
        return None
    ratio = np.float32(x[1].scale[0]) / np.float32(y.scale[0])
    above, below = (int(np.rint(256 * ratio * np.float32(f))) for f in (1.0, case.op.attrs["alpha"]))
    return _finished(case, (np.where(x[0] >= 0, x[0] * above, x[0] * below) + 128) >> 8)


for _name, _form in FORMS.items():
    predicts("ADD", "SUB", name=_name)(partial(added_in_fixed_point, form=_form))
    predicts("MUL", name=_name)(partial(multiplied, form=_form))
    predicts("QUANTIZE", name=_name)(partial(rescaled, form=_form))
