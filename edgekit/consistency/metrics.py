"""Compares one tensor over all samples. Missing, misshapen and non-finite values are never masked."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edgekit.artifact import Delta, Status
from edgekit.consistency.tolerance import Tolerance, dtype_text
from edgekit.runners import Array

Pair = tuple[Array, Array | None]
"""The reference's tensor and the artifact's, which may be missing."""


def compare_tensor(name: str, pairs: Sequence[Pair], tolerance: Tolerance) -> Delta:
    """Compares a tensor over all samples.

    Args:
        name: Its name in the source model.
        pairs: One pair per sample.
        tolerance: The limit is taken of the reference's range over all samples.

    Returns:
        The numbers and the verdict.
    """
    dtype = dtype_text(pairs[0][0].dtype)
    broken = _broken(pairs)
    if broken is not None:
        status, sample, reason = broken
        return Delta(name, status, dtype, worst_sample=sample, reason=reason)
    whole = [(reference, actual) for reference, actual in pairs if actual is not None]
    if pairs[0][0].dtype.kind in "OUS":
        return _compare_text(name, dtype, whole)
    return _compare_numbers(name, dtype, whole, tolerance)


def _broken(pairs: Sequence[Pair]) -> tuple[Status, int, str] | None:
    """Returns the first sample in which the tensors cannot be laid side by side."""
    for sample, (reference, actual) in enumerate(pairs):
        if actual is None:
            return Status.MISSING, sample, "the artifact does not give it"
        if actual.shape != reference.shape:
            reason = f"shape {list(actual.shape)} instead of {list(reference.shape)}"
            return Status.DIFFER, sample, reason
        if dtype_text(actual.dtype) != dtype_text(reference.dtype):
            reason = f"dtype {dtype_text(actual.dtype)} instead of {dtype_text(reference.dtype)}"
            return Status.DIFFER, sample, reason
    return None


def _compare_text(name: str, dtype: str, pairs: Sequence[tuple[Array, Array]]) -> Delta:
    wrong = [_flat(reference) != _flat(actual) for reference, actual in pairs]
    count = sum(int(np.count_nonzero(w)) for w in wrong)
    elements = sum(reference.size for reference, _ in pairs)
    if not count:
        return Delta(name, Status.AGREE, dtype, elements)
    sample = next(i for i, w in enumerate(wrong) if np.any(w))
    index = _unravel(int(np.argmax(wrong[sample])), pairs[sample][0].shape)
    return Delta(
        name, Status.DIFFER, dtype, elements, count, worst_sample=sample, worst_index=index,
        reason=f"{count} of {elements} texts differ",
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Errors:
    """Elementwise errors of one sample, flattened."""

    error: Array
    """Absolute errors in float64; infinite where one of the two is not finite and they differ."""
    reference: Array
    """The reference in float64 (complex128), zero where it is not finite."""
    actual: Array
    low: float
    high: float
    clashes: int


def _compare_numbers(
    name: str, dtype: str, pairs: Sequence[tuple[Array, Array]], tolerance: Tolerance
) -> Delta:
    parts = [_errors(reference, actual) for reference, actual in pairs]
    low = min((p.low for p in parts), default=math.inf)
    high = max((p.high for p in parts), default=-math.inf)
    has_range = low <= high
    limit = tolerance.limit(low, high) if has_range else tolerance.floor
    wrong = [int(np.count_nonzero(p.error > limit)) for p in parts]
    clashes = sum(p.clashes for p in parts)
    worst = [float(np.max(p.error, initial=0.0)) for p in parts]
    sample = int(np.argmax(worst))
    finite = [p.error[np.isfinite(p.error)] for p in parts]
    max_abs = max((float(e.max()) for e in finite if e.size), default=0.0)
    elements = sum(reference.size for reference, _ in pairs)
    disagrees = sum(wrong) > 0
    sqnr, cosine = _ratios(parts)
    return Delta(
        tensor=name,
        status=Status.DIFFER if disagrees else Status.AGREE,
        dtype=dtype,
        elements=elements,
        mismatching=sum(wrong),
        max_abs=max_abs,
        low=low if has_range else None,
        high=high if has_range else None,
        limit=limit,
        sqnr_db=sqnr,
        cosine=cosine,
        worst_sample=sample if worst[sample] > 0 else None,
        worst_index=_worst_index(parts[sample].error, pairs[sample][0].shape) if worst[sample] > 0 else None,
        reason=_reason(sum(wrong), elements, clashes, max_abs, limit) if disagrees else None,
        notes=() if disagrees or not has_range else _floor_note(max_abs, tolerance, low, high),
    )


def _reason(wrong: int, elements: int, clashes: int, max_abs: float, limit: float) -> str:
    if clashes:
        return f"NaN or infinity in one of the two only, at {clashes} of {elements} elements"
    if limit == 0:
        return f"{wrong} of {elements} elements differ, by up to {max_abs:.6g}"
    return f"{wrong} of {elements} elements are off by more than {limit:.3g}, by up to {max_abs:.3g}"


def _floor_note(max_abs: float, tolerance: Tolerance, low: float, high: float) -> tuple[str, ...]:
    """Tells when only the absolute floor lets a tensor pass."""
    if max_abs <= Tolerance(tolerance.relative, tolerance.rounding).limit(low, high):
        return ()
    return (f"it agrees only by the absolute floor of {tolerance.floor:.2g}",)


def _errors(reference: Array, actual: Array) -> _Errors:
    if reference.dtype.kind in "iub":
        return _integer_errors(reference, actual)
    wide = np.complex128 if reference.dtype.kind == "c" else np.float64
    r, a = _flat(reference).astype(wide), _flat(actual).astype(wide)
    finite_r, finite_a = np.isfinite(r), np.isfinite(a)
    both = finite_r & finite_a
    same = (np.isnan(r) & np.isnan(a)) | (r == a)
    error = np.where(same, 0.0, np.inf)
    with np.errstate(over="ignore"):
        error[both] = np.abs(r[both] - a[both])
    clashes = int(np.count_nonzero(~both & ~same))
    low, high = _range(np.abs(r[finite_r]) if wide is np.complex128 else r[finite_r])
    return _Errors(error, np.where(both, r, 0), np.where(both, a, 0), low, high, clashes)


def _integer_errors(reference: Array, actual: Array) -> _Errors:
    r, a = _flat(reference), _flat(actual)
    if reference.dtype.itemsize == 8:
        # Modular arithmetic is exact where float64 would round the difference away.
        gap = np.maximum(r, a).astype(np.uint64) - np.minimum(r, a).astype(np.uint64)
        error = gap.astype(np.float64)
    else:
        error = np.abs(r.astype(np.float64) - a.astype(np.float64))
    wide = r.astype(np.float64)
    return _Errors(error, wide, a.astype(np.float64), *_range(wide), 0)


def _range(values: Array) -> tuple[float, float]:
    return (float(values.min()), float(values.max())) if values.size else (math.inf, -math.inf)


def _ratios(parts: Sequence[_Errors]) -> tuple[float | None, float | None]:
    """Returns SQNR in dB and cosine similarity over all elements that are finite in both.

    Source: SQNR = 10 log10(sum r^2 / sum (r - a)^2); cosine = <r, a> / (|r| |a|).
    """
    scale = max(float(np.max(np.abs(v), initial=0.0)) for p in parts for v in (p.reference, p.actual))
    if scale == 0:
        return None, None
    signal = noise = power = 0.0
    product = 0j
    for part in parts:
        r, a = part.reference / scale, part.actual / scale  # squares of large values would overflow
        signal += float(np.sum(np.abs(r) ** 2))
        power += float(np.sum(np.abs(a) ** 2))
        noise += float(np.sum(np.abs(r - a) ** 2))
        product += complex(np.vdot(r, a))
    return _decibels(signal, noise), product.real / math.sqrt(signal * power) if signal and power else None


def _decibels(signal: float, noise: float) -> float:
    if noise == 0:
        return math.inf
    return 10 * math.log10(signal / noise) if signal else -math.inf


def _flat(array: Array) -> Array:
    return np.asarray(array).reshape(-1)


def _worst_index(error: Array, shape: tuple[int, ...]) -> tuple[int, ...]:
    return _unravel(int(np.argmax(error)), shape)


def _unravel(flat: int, shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(int(i) for i in np.unravel_index(flat, shape)) if shape else ()
