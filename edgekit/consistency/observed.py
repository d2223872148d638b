"""Reduces tensors of a float model over the calibration samples: means, and ranges of channels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from edgekit.consistency.oracle import Oracle
from edgekit.consistency.samples import Sample
from edgekit.ir import Model
from edgekit.runners import Array


def means_of(model: Model, samples: Sequence[Sample], names: Sequence[str]) -> dict[str, Array]:
    """Returns the mean of tensors over samples and their batches.

    Args:
        model: A float model, in an opset that the runtime executes.
        samples: Inputs to run.
        names: The tensors; public inputs may be among them.

    Returns:
        By name, with a leading axis of size 1; without tensors whose size differs between samples.
    """
    sums: dict[str, Array] = {}
    count: dict[str, int] = {}
    uneven: set[str] = set()
    for given in _runs(model, samples, names):
        for name in given.keys() & set(names):
            summed = given[name].astype(np.float64).sum(axis=0, keepdims=True)
            if name in sums and sums[name].shape != summed.shape:
                uneven.add(name)
                continue
            sums[name] = sums[name] + summed if name in sums else summed
            count[name] = count.get(name, 0) + len(given[name])
    return {name: sums[name] / count[name] for name in sums if name not in uneven}


def spans_of(model: Model, samples: Sequence[Sample], axes: Mapping[str, int]) -> dict[str, Array]:
    """Returns the largest magnitude of each channel of tensors.

    Args:
        model: A float model, in an opset that the runtime executes.
        samples: Inputs to run.
        axes: The axis of the channels of each tensor, by its name.

    Returns:
        One dimension by name.
    """
    spans: dict[str, Array] = {}
    for given in _runs(model, samples, list(axes)):
        for name in given.keys() & set(axes):
            values = np.abs(given[name])
            largest = values.max(axis=tuple(i for i in range(values.ndim) if i != axes[name]), initial=0)
            spans[name] = np.maximum(spans.get(name, 0), largest)
    return spans


def lowest_tops(model: Model, samples: Sequence[Sample], axes: Mapping[str, int]) -> dict[str, float]:
    """Returns the lowest of the largest entries of all rows of tensors.

    Args:
        model: A float model, in an opset that the runtime executes.
        samples: Inputs to run.
        axes: The axis along which the rows of each tensor lie, by its name.
    """
    tops: dict[str, float] = {}
    for given in _runs(model, samples, list(axes)) if axes else ():
        for name in given.keys() & set(axes):
            top = float(given[name].max(axis=axes[name]).min(initial=np.inf))
            tops[name] = min(top, tops.get(name, np.inf))
    return tops


def _runs(model: Model, samples: Sequence[Sample], names: Sequence[str]) -> Iterator[dict[str, Array]]:
    public = {spec.name for spec in (*model.inputs, *model.outputs)}
    inner = [name for name in names if name not in public]
    with Oracle(model, isolate=True, timeout_s=300.0) as oracle:
        for sample in samples:
            yield {**sample, **oracle.run(sample, inner)}
