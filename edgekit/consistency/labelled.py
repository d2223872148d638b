"""Samples with the right classes beside them: from a file of arrays, a CSV table, or the golden samples."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from edgekit.consistency.accuracy import Labels
from edgekit.consistency.samples import GOLDEN_NAME, Samples, given_samples, read_arrays, split
from edgekit.diagnostics import Where, error
from edgekit.ir import Model
from edgekit.runners import Array

LABELS = "labels"
"""The array or column that is taken for labels where none is named."""


def labelled_samples(
    model: Model, given: Any, labels_from: str | None, count: int | None = None
) -> tuple[Samples, Labels]:
    """Returns samples and their labels.

    Args:
        model: The source model.
        given: A `.csv`, `.npz` or `.safetensors` file, or arrays by name, each with the samples along its
            first axis.
        labels_from: The array or column with the classes: its name, or for a table without a head the
            number of the column from 0; by default `labels`, where there is one.
        count: The most samples to take.

    Raises:
        EdgekitError: EK505 if the labels asked for are not there or do not fit; as `given_samples`.
    """
    arrays = _arrays(model, given, labels_from)
    names = [spec.name for spec in model.inputs]
    samples = given_samples(model, {k: v for k, v in arrays.items() if k in names}, count)
    return samples, _labels(model, arrays, labels_from, len(samples.arrays))


def labels_beside(model: Model, path: Path, labels_from: str | None, count: int) -> Labels:
    """Returns the labels that a file of samples holds, for its first samples; see `labelled_samples`."""
    return _labels(model, _arrays(model, path, labels_from), labels_from, count)


def _labels(model: Model, arrays: Mapping[str, Array], labels_from: str | None, count: int) -> Labels:
    key, first = labels_from or LABELS, model.inputs[0].name
    found = _fitting(model, arrays, arrays[key]) if key in arrays and first in arrays else None
    if found is not None:
        return found[:count]
    if labels_from is None:
        return [None] * count
    if key in arrays:
        note = f"its shape is {arrays[key].shape}"
        raise error("EK505", f"`{key}` is not one class number for each sample", notes=(note,))
    names = {spec.name for spec in model.inputs}
    held = ", ".join(f"`{name}`" for name in arrays if name not in names) or "nothing"
    raise error("EK505", f"the samples hold no `{key}`", notes=(f"besides inputs they hold {held}",))


def _fitting(model: Model, arrays: Mapping[str, Array], labels: Array) -> Labels | None:
    """Splits labels as `split` does the samples; `None` if they are not one whole number for each."""
    spec = model.inputs[0]
    first = arrays[spec.name]
    if labels.shape not in ((len(first),), (len(first), 1)) or not np.equal(np.mod(labels, 1), 0).all():
        return None
    places = np.arange(len(first)).reshape(-1, *[1] * (first.ndim - 1))
    parts = split([spec], {spec.name: places})
    flat = labels.reshape(-1).astype(np.int64)
    return [flat[part[spec.name].reshape(-1)] for part in parts]


def golden_file(model: Model) -> Path | None:
    """Returns the file of samples beside a model, if there is one."""
    path = None if model.path is None else model.path.with_name(GOLDEN_NAME)
    return path if path is not None and path.is_file() else None


def _arrays(model: Model, given: Any, labels_from: str | None) -> dict[str, Array]:
    if isinstance(given, Mapping):
        return {name: np.asarray(value) for name, value in given.items()}
    path = Path(given)
    if path.suffix == ".csv":
        return _table(model, path, labels_from)
    return read_arrays(path, [spec.name for spec in model.inputs])


def _table(model: Model, path: Path, labels_from: str | None) -> dict[str, Array]:
    """Reads a table: one row for each sample, one column for the label, the others for the input in order."""
    if not path.is_file():
        raise error("EK101", f"the input file `{path}` does not exist", where=Where(file=str(path)))
    if len(model.inputs) != 1:
        raise error("EK505", f"a table fills one input; the model has {len(model.inputs)}")
    with path.open(newline="", encoding="utf-8-sig") as file:
        rows = [row for row in csv.reader(file) if row]
    width = len(rows[0]) if rows else 0
    has_head = bool(rows) and not _are_numbers(rows[0])
    head = rows.pop(0) if has_head else [str(i) for i in range(width)]
    try:
        table = np.asarray(rows, np.float64)
    except ValueError as problem:
        raise error(
            "EK505", f"the table `{path}` holds more than numbers", where=Where(file=str(path))
        ) from problem
    column = labels_from if labels_from is not None else LABELS
    chosen = [i for i, name in enumerate(head) if name != column]
    spec = model.inputs[0]
    shape = tuple(d for d in (spec.shape or ())[1:] if isinstance(d, int))
    size = int(np.prod(shape))
    if spec.shape is None or len(shape) != len(spec.shape) - 1 or size != len(chosen):
        raise error(
            "EK505",
            f"a row of `{path}` has {len(chosen)} values; the input `{spec.name}` takes {size}",
            where=Where(file=str(path)),
            help="say with `--labels-from` which column holds the labels: its name, or its number from 0",
        )
    dtype = np.float32 if spec.dtype is None else spec.dtype
    arrays = {spec.name: table[:, chosen].reshape(-1, *shape).astype(dtype)}
    if column in head:
        arrays[column] = table[:, head.index(column)]
    return arrays


def _are_numbers(row: list[str]) -> bool:
    try:
        [float(cell) for cell in row]
    except ValueError:
        return False
    return True
