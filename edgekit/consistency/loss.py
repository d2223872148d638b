"""What fewer bits cost at each output, without labels or held-out samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from edgekit.consistency.metrics import compare_tensor
from edgekit.consistency.tolerance import Tolerance
from edgekit.runners import Array

CLASSES = 2
"""Entries along the last axis from which an output looks like scores of classes."""


@dataclass(frozen=True, slots=True)
class Loss:
    """What quantisation or compression costs at one output: the model made against the float model.

    Attributes:
        tensor: The output.
        sqnr_db: Signal to quantisation-noise ratio; infinite for equal tensors.
        cosine: Cosine similarity.
        max_abs: The largest absolute error.
        low: The float model's smallest value.
        high: The float model's largest value.
        top1: Share of the samples whose largest entry is the same; `None` where it has no classes.
        samples: How many samples were compared.
    """

    tensor: str
    sqnr_db: float | None
    cosine: float | None
    max_abs: float | None
    low: float | None
    high: float | None
    top1: float | None
    samples: int

    def to_dict(self) -> dict[str, Any]:
        """Returns the JSON form."""
        return asdict(self)


def losses_between(
    names: Sequence[str], exact: Sequence[Mapping[str, Array]], found: Sequence[Mapping[str, Array]]
) -> tuple[Loss, ...]:
    """Compares outputs by name with those of a model that computes in fewer bits.

    Args:
        names: The outputs.
        exact: What the source model gives, one mapping per sample.
        found: The same of the other model.
    """
    return tuple(_loss(n, [(a[n], b[n]) for a, b in zip(exact, found, strict=True)]) for n in names)


def _loss(name: str, pairs: Sequence[tuple[Array, Array]]) -> Loss:
    delta = compare_tensor(name, pairs, Tolerance(1.0))
    return Loss(
        name, delta.sqnr_db, delta.cosine, delta.max_abs, delta.low, delta.high, _top1(pairs), len(pairs)
    )


def _top1(pairs: Sequence[tuple[Array, Array]]) -> float | None:
    first = pairs[0][0]
    if first.ndim != 2 or first.shape[-1] < CLASSES or first.dtype.kind != "f":
        return None
    same = [np.argmax(a, -1) == np.argmax(b, -1) for a, b in pairs]
    return float(np.concatenate(same).mean())
