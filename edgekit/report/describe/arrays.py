"""Arrays that a model returned, as a table of statistics."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.report.describe.model import dtype_text, shape_text
from edgekit.report.model import Column, Kind, Row, Table


def outputs_table(outputs: Mapping[str, NDArray[Any]]) -> Table:
    """Returns one row for each output: dtype, shape, statistics of the finite elements, the largest's index.

    Args:
        outputs: Arrays by name, of any dtype and shape.
    """
    columns = (
        Column("name", "output", Kind.NAME),
        Column("dtype", "dtype"),
        Column("shape", "shape"),
        Column("min", "min", Kind.REAL),
        Column("max", "max", Kind.REAL),
        Column("mean", "mean", Kind.REAL),
        Column("argmax", "largest at"),
        Column("nonfinite", "NaN, Inf", Kind.COUNT),
    )
    return Table("outputs", "Outputs", columns, tuple(_row(n, np.asarray(a)) for n, a in outputs.items()))


def _row(name: str, array: NDArray[Any]) -> Row:
    row: dict[str, Any] = {"name": name, "dtype": dtype_text(array.dtype), "shape": shape_text(array.shape)}
    if array.dtype.kind in "OUSc" or not array.size:
        return row
    # float64 also takes the dtypes of ml_dtypes, whose kind is `V`.
    values = array.astype(np.float64)
    finite = np.isfinite(values)
    row["nonfinite"] = int(values.size - finite.sum())
    if finite.any():
        kept = values[finite]
        row |= {"min": kept.min().item(), "max": kept.max().item(), "mean": kept.mean().item()}
        largest = np.where(finite, values, -np.inf).argmax()
        row["argmax"] = shape_text([int(i) for i in np.unravel_index(largest, values.shape)])
    return row
