"""What quantisation costs: each output of a quantised form beside the float model's, and the right labels."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from edgekit.consistency.metrics import compare_tensor
from edgekit.consistency.tolerance import Tolerance
from edgekit.ir import Model
from edgekit.runners import Array


class Form(enum.StrEnum):
    """In which form a model was run."""

    FLOAT = "float"
    SIMULATED = "simulated"
    """The QDQ model in ONNX Runtime: float arithmetic between exact roundings."""
    EXECUTED = "executed"
    """The artifact in its own runtime."""


Labels = Sequence[Array | None]
"""The right classes of each sample, of shape (rows,), where they are known."""
Outputs = Sequence[Mapping[str, Array]]
"""The outputs of each sample by name."""


@dataclass(frozen=True, slots=True)
class Accuracy:
    """One output of one form against the float model.

    Attributes:
        output: The output.
        form: What was run.
        samples: How many samples were compared.
        sqnr_db: Signal to quantisation-noise ratio; infinite for equal tensors.
        cosine: Cosine similarity.
        max_abs: The largest absolute error.
        low: The float model's smallest value.
        high: The float model's largest value.
        max_lsb: The largest error in quantisation steps of the output, where it is quantised.
        top1: Share of the rows whose largest entry is the float model's; `None` where it has no classes.
        task: Share of the rows whose largest entry is the label; `None` without labels.
    """

    output: str
    form: Form
    samples: int
    sqnr_db: float | None
    cosine: float | None
    max_abs: float | None
    low: float | None
    high: float | None
    max_lsb: float | None
    top1: float | None
    task: float | None

    def to_dict(self) -> dict[str, Any]:
        """Returns the JSON form."""
        return asdict(self)


def accuracies(
    form: Form,
    reference: Outputs,
    actual: Outputs,
    labels: Labels,
    steps: Mapping[str, float],
) -> tuple[Accuracy, ...]:
    """Compares a form of a model with the float model.

    Args:
        form: What was run.
        reference: The float model's outputs, one mapping per sample.
        actual: Those of the form, for the same samples.
        labels: The right classes, for the same samples.
        steps: The quantisation step of each output that is quantised.

    Returns:
        One entry per output.
    """
    rows = []
    for name in reference[0] if reference else ():
        pairs = [(a[name], b[name]) for a, b in zip(reference, actual, strict=True)]
        delta = compare_tensor(name, pairs, Tolerance(1.0))
        step = steps.get(name)
        lsb = None if step is None or delta.max_abs is None else delta.max_abs / step
        classes = [(classes_of(a), classes_of(b)) for a, b in pairs]
        right = [(label, found) for label, (_, found) in zip(labels, classes, strict=True)]
        numbers = (delta.sqnr_db, delta.cosine, delta.max_abs, delta.low, delta.high, lsb)
        rows.append(Accuracy(name, form, len(pairs), *numbers, _agreement(classes), _agreement(right)))
    return tuple(rows)


def classes_of(scores: Array) -> Array | None:
    """Returns the index of the largest entry of each row; `None` for a tensor that has no rows of scores.

    Args:
        scores: Of shape (rows, classes); further axes of size 1 do not count.
    """
    if scores.ndim < 2 or scores.dtype.kind != "f":
        return None
    wide = [size for size in scores.shape[1:] if size != 1]
    return None if len(wide) != 1 else np.argmax(scores.reshape(len(scores), -1), axis=-1)


def _agreement(pairs: Sequence[tuple[Array | None, Array | None]]) -> float | None:
    same = [a == b for a, b in pairs if a is not None and b is not None and a.shape == b.shape]
    return float(np.concatenate(same).mean()) if same and len(same) == len(pairs) else None


def has_scores(model: Model) -> bool:
    """Tells whether the largest entry of an output is likely its class: no input is as wide (autoencoder)."""
    widths = {spec.shape[-1] for spec in model.inputs if spec.shape}
    return not any(spec.shape and spec.shape[-1] in widths for spec in model.outputs)


def drop_of(rows: Sequence[Accuracy], plain: Sequence[Accuracy], *, scores: bool) -> float:
    """Returns how much worse a form is than the float model, as a share from 0 (equal) to 1.

    That is, of the worst output: with labels the share of right answers that is lost; without labels, for
    rows of scores, the share of rows with another largest entry; else the noise's share of the power.

    Args:
        rows: The form.
        plain: The float model.
        scores: Whether rows without labels count as scores of classes.
    """
    return max((_drop(row, one, scores) for row, one in zip(rows, plain, strict=True)), default=0.0)


def _drop(row: Accuracy, plain: Accuracy, scores: bool) -> float:
    if row.task is not None and plain.task is not None:
        return plain.task - row.task
    if scores and row.top1 is not None:
        return 1 - row.top1
    return noise_of(row)


def noise_of(row: Accuracy) -> float:
    """Returns the noise's share of the power of an output, at most 1."""
    if row.sqnr_db is None:
        return 0.0 if row.max_abs == 0 else 1.0
    return float(min(1.0, 10 ** (-row.sqnr_db / 10)))
