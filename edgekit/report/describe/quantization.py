"""What quantisation or compression costs, per output, as a section of a report."""

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
    note = (
        f"the QDQ model against the float model on {_samples(made)} of the {made['samples']} "
        f"{made['source']} samples that it was calibrated with ({made['scheme']}, {made['method']}); "
        "other data may cost more"
    )
    return Table("quantization", "Cost of quantisation", _COLUMNS, _rows(made), note)


def compression(made: Mapping[str, Any]) -> Table:
    """Returns the table of the artifact with compressed weights against the source model.

    Args:
        made: What `api.convert` puts into the recipe under `compression`.
    """
    note = (
        f"the artifact against the source model on {_samples(made)} samples; {made['weights']} weights "
        f"are compressed, {made['bytes_before']} bytes became {made['bytes']}; other data may cost more"
    )
    return Table("compression", "Cost of compression", _COLUMNS, _rows(made), note)


def _samples(made: Mapping[str, Any]) -> int:
    return made["loss"][0]["samples"] if made["loss"] else 0


def _rows(made: Mapping[str, Any]) -> tuple[Row, ...]:
    return tuple(
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
