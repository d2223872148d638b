"""Where a vendor's compiler and a target's table place the ops of a model, as sections of a report."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from edgekit.compat.agreement import Agreement, Compared
from edgekit.diagnostics import Diagnostic, Severity, Where
from edgekit.report.model import Column, Kind, Report, Row, Table

_COLUMNS = (
    Column("op", "op", Kind.NAME),
    Column("tensor", "tensor", Kind.NAME),
    Column("tool", "compiler"),
    Column("table", "table"),
    Column("agrees", "agree", Kind.STATUS),
    Column("why", "why"),
)


def added(report: Report, found: Sequence[Agreement]) -> Report:
    """Returns a report with what a vendor's compiler says beside it.

    Args:
        report: The report of the check.
        found: One for each target that was asked about.
    """
    tools = {a.opinion.oracle: a.opinion.version for a in found}
    return replace(
        report,
        results=(*report.results, *map(_table, found)),
        diagnostics=(*report.diagnostics, *_diagnostics(found)),
        environment={**report.environment, **tools},
    )


def _table(found: Agreement) -> Table:
    same = len(found.ops) - len(found.differing)
    tool = f"{found.opinion.oracle} {found.opinion.version}"
    note = f"{tool} and the table agree on {same} of {len(found.ops)} ops"
    rows: tuple[Row, ...] = tuple(map(_row, found.ops))
    name = f"oracle-{found.target}"
    return Table(name, f"{found.opinion.oracle} on {found.target}", _COLUMNS, rows, note, detail=False)


def _row(op: Compared) -> Row:
    return {
        "op": op.told.op,
        "tensor": op.told.name,
        "tool": op.told.unit,
        "table": op.unit,
        "agrees": "agree" if op.agrees else "disagree",
        "why": op.told.reason or "; ".join(r.got for r in op.judged.verdict.reasons),
    }


def _diagnostics(found: Sequence[Agreement]) -> Iterator[Diagnostic]:
    for one in found:
        if not one.differing:
            continue
        ops = [op.told.name for op in one.differing]
        yield Diagnostic(
            "EK524",
            f"{one.opinion.oracle} {one.opinion.version} and the table of `{one.target}` disagree on "
            f"{len(ops)} of {len(one.ops)} ops",
            severity=Severity.WARNING,
            where=Where(nodes=tuple(ops)),
            notes=tuple(f"`{o.told.name}`: {o.told.unit}, not {o.unit}" for o in one.differing[:6]),
            help="what the compiler says counts; compare the versions of tool and table",
            data=one.to_dict(),
        )
