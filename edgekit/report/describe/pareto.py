"""Schemes side by side, as a report."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from edgekit.consistency.pareto import Point
from edgekit.diagnostics import ExitCode
from edgekit.ir import Model
from edgekit.report.describe.model import subject
from edgekit.report.model import Column, Kind, Report, Row, Table, Verdict, VerdictStatus

ID = "pareto"
_COLUMNS = (
    Column("scheme", "scheme", Kind.NAME),
    Column("best", "not beaten"),
    Column("size", "size", Kind.SIZE),
    Column("latency_ms", "latency ms", Kind.REAL),
    Column("sqnr_db", "SQNR", Kind.DECIBEL),
    Column("drop", "lost", Kind.SHARE),
    Column("task", "right top-1", Kind.SHARE),
    Column("verdict", "verdict", Kind.STATUS),
    Column("reason", "because"),
)


def table(points: Sequence[Point]) -> Table:
    """Returns the table; of it the HTML report also makes a picture."""
    rows: list[Row] = [
        {
            "scheme": p.scheme,
            "best": None if p.size is None else "yes" if p.best else "no",
            "size": p.size,
            "latency_ms": None if p.latency_s is None else 1e3 * p.latency_s,
            "sqnr_db": _decibels(p.noise),
            "drop": p.drop,
            "task": p.task,
            "verdict": p.verdict or "none",
            "reason": p.reason,
        }
        for p in points
    ]
    columns = tuple(c for c in _COLUMNS if any(row[c.key] is not None for row in rows))
    note = (
        "latency is measured: the median of one inference in LiteRT on one thread of this machine, the "
        "artifacts taking turns; a scheme is beaten by one that is nowhere worse in size, latency and SQNR, "
        "and better in one"
    )
    return Table(ID, "Schemes side by side", columns, tuple(rows), note)


def report(points: Sequence[Point], model: Model, folder: Path) -> Report:
    """Returns the report on all schemes of a model."""
    wrong = [p.scheme for p in points if p.verdict == "mismatch"]
    best = [p.scheme for p in points if p.best]
    if wrong:
        text = f"{', '.join(f'`{name}`' for name in wrong)} differ from the quantised model"
        verdict = Verdict(VerdictStatus.FAILED, text, ExitCode.DOES_NOT_HOLD)
    else:
        text = f"{len(points)} forms in `{folder}`, not beaten: {', '.join(f'`{name}`' for name in best)}"
        verdict = Verdict(VerdictStatus.OK, text)
    return Report("quantize", subject(model), verdict, (table(points),))


def _decibels(noise: float | None) -> float | None:
    if noise is None:
        return None
    return math.inf if noise == 0 else -10 * math.log10(noise)
