"""What quantisation costs, per output, as a section of a report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edgekit.report.model import Column, Kind, Row, Table

_COLUMNS = (
    Column("output", "output", Kind.NAME),
    Column("sqnr_db", "SQNR", Kind.DECIBEL),
    Column("cosine", "cosine", Kind.COSINE),
    Column("max_abs", "max error", Kind.REAL),
    Column("range", "range", Kind.REAL),
    Column("top1", "same top-1", Kind.SHARE),
)


def section(made: Mapping[str, Any]) -> Table:
    """Returns the table of the QDQ model against the float model.

    Args:
        made: What `api.quantize` puts into the recipe under `quantization`.
    """
    rows: tuple[Row, ...] = tuple(
        {
            "output": one["tensor"],
            "sqnr_db": one["sqnr_db"],
            "cosine": one["cosine"],
            "max_abs": one["max_abs"],
            "range": None if one["low"] is None or one["high"] is None else one["high"] - one["low"],
            "top1": one["top1"],
        }
        for one in made["loss"]
    )
    compared = made["loss"][0]["samples"] if made["loss"] else 0
    note = (
        f"the QDQ model against the float model on {compared} of the {made['samples']} {made['source']} "
        f"samples that it was calibrated with ({made['scheme']}, {made['method']}); other data may cost more"
    )
    return Table("quantization", "Cost of quantisation", _COLUMNS, rows, note)
