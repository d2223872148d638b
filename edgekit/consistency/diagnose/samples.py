"""Faults between samples: results that belong to another input, to none, or to nothing at all.

They are no change of a step; what the device gave is laid beside what the reference gives for other samples.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from edgekit.consistency.diagnose.fault import Fault, Steps
from edgekit.consistency.diagnose.residual import Fit, fit
from edgekit.pipeline import Array

Given = Sequence[Array | None]
_FEW = 2


def between_samples(
    steps: Steps, reference: Given, device: Sequence[Array], grain: float
) -> Iterator[tuple[Fault, Fit]]:
    """Yields the faults between samples with how well each explains the device.

    Args:
        steps: The contract's steps.
        reference: What they give for each sample.
        device: What the device gave for each sample.
        grain: The grain of the tensor.
    """
    for name, what, fix, test in _FAULTS:
        found = test(reference, device, grain)
        if found is not None:
            yield Fault(name, what, fix, steps), found


def _late(reference: Given, device: Sequence[Array], grain: float) -> Fit | None:
    return fit(reference[:-1], device[1:], grain) if len(device) > _FEW else None


def _early(reference: Given, device: Sequence[Array], grain: float) -> Fit | None:
    return fit(reference[1:], device[:-1], grain) if len(device) > _FEW else None


def _first(reference: Given, device: Sequence[Array], grain: float) -> Fit | None:
    """The first sample's result stays in the buffer."""
    if len(device) < _FEW:
        return None
    return fit([reference[0]] * len(device), device, grain)


def _constant(reference: Given, device: Sequence[Array], grain: float) -> Fit | None:
    """One value everywhere, the same for all samples: nobody wrote the buffer."""
    first = device[0].reshape(-1)[:1]
    if not first.size or any(np.any(d != first) for d in device):
        return None
    return fit([np.full_like(d, first[0]) for d in device], device, grain)


_Test = Callable[[Given, Sequence[Array], float], Fit | None]
_FAULTS: tuple[tuple[str, str, str, _Test], ...] = (
    (
        "sample-misalignment",
        "each result belongs to the sample before",
        "read the output of this run, not of the last one",
        _late,
    ),
    (
        "sample-misalignment",
        "each result belongs to the sample after",
        "read the output before the next run begins",
        _early,
    ),
    (
        "stale-buffer",
        "the result of the first sample is given for all",
        "copy each input into the tensor that the model reads",
        _first,
    ),
    (
        "unwritten-buffer",
        "the tensor holds one value everywhere",
        "record the tensor that the step writes",
        _constant,
    ),
)
