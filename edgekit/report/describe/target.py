"""Reports on targets: the list, one target's page, and what lint found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from edgekit.compat.compiled import sentence
from edgekit.compat.lint import Linted
from edgekit.compat.rules import graph_rules
from edgekit.diagnostics import ExitCode, Severity
from edgekit.report.model import (
    Column,
    Fact,
    Facts,
    Kind,
    Prose,
    Report,
    Row,
    Section,
    Subject,
    Table,
    Verdict,
    VerdictStatus,
)
from edgekit.target import OpEntry, Target

_COLUMNS = (
    Column("id", "id", Kind.NAME),
    Column("kind", "kind"),
    Column("title", "target"),
    Column("toolchain", "toolchain"),
    Column("dialect", "ops of"),
    Column("ops", "ops", Kind.COUNT),
    Column("basis", "basis"),
)


def listing(targets: Sequence[Target], environment: Mapping[str, str]) -> Report:
    """Returns the report of `edgekit target list`."""
    ordered = sorted(targets, key=lambda t: (t.kind, t.id))
    rows: tuple[Row, ...] = tuple(row_of(target) for target in ordered)
    text = f"{len(rows)} targets; `edgekit target show ID` shows one"
    table = Table("targets", "Targets", _COLUMNS, rows)
    verdict = Verdict(VerdictStatus.OK, text)
    return Report("target list", Subject("targets"), verdict, (table,), environment=environment)


def row_of(target: Target) -> Row:
    """Returns the row of a target in a list."""
    return {
        "id": target.id,
        "kind": str(target.kind),
        "title": target.title,
        "toolchain": f"{target.toolchain.name} {target.toolchain.version}",
        "dialect": target.dialect,
        "ops": sum(entry.accelerated for entry in target.ops.values()),
        "basis": str(target.basis),
    }


def page(target: Target, environment: Mapping[str, str]) -> Report:
    """Returns the report of `edgekit target show`."""
    ops = sum(entry.accelerated for entry in target.ops.values())
    verdict = Verdict(VerdictStatus.OK, f"{target.id}: {ops} ops on {target.title}")
    return Report("target show", Subject(target.id), verdict, sections(target), environment=environment)


def sections(target: Target) -> tuple[Section, ...]:
    """Returns what there is to say of a target: facts, general rules, ops, sources."""
    notes = [Prose("note", "", target.note)] if target.note else []
    return (_facts(target), *notes, *_general(target), ops_table(target), _sources(target))


def _facts(target: Target) -> Facts:
    memory, compute = target.memory, target.compute
    quantised = "required" if target.numerics.required else "not required"
    facts = [
        Fact("title", "target", target.title),
        Fact("kind", "kind", str(target.kind)),
        Fact("vendor", "vendor", target.vendor),
        Fact("toolchain", "toolchain", f"{target.toolchain.name} {target.toolchain.version}"),
        Fact("dialect", "ops of", target.dialect),
        Fact("fallback", "other ops", _elsewhere(target)),
        Fact("quantisation", "quantisation", quantised),
        Fact("scheme", "scheme", target.numerics.scheme or "none of edgekit's"),
    ]
    sizes = {"sram": memory.sram, "flash": memory.flash, "parameter_cache": memory.parameter_cache}
    facts += [Fact(k, k.replace("_", " "), v, Kind.SIZE) for k, v in sizes.items() if v is not None]
    if compute.clock_hz is not None:
        facts.append(Fact("clock", "clock in MHz", compute.clock_hz / 1e6, Kind.REAL))
    peaks = ", ".join(f"{dtype} {peak:g}" for dtype, peak in compute.macs_per_cycle.items())
    if peaks:
        facts.append(Fact("peaks", "multiply-accumulates per cycle", peaks))
    return Facts("target", "Target", tuple(facts))


def _elsewhere(target: Target) -> str:
    if target.unlisted == "unknown":
        return "unknown"
    where = "run on the CPU" if target.fallback == "cpu" else "do not run"
    return f"{where} ({target.cpu})" if target.cpu else where


def _general(target: Target) -> list[Section]:
    found = [sentence(use) for use in target.rules]
    found += [use.message or graph_rules()[use.rule].sentence_for(use.params) for use in target.graph]
    text = "\n".join(f"- {one}" for one in found)
    return [Prose("rules", "What holds for every op", text)] if found else []


def ops_table(target: Target) -> Table:
    """Returns the table of ops; those with the same conditions share a row."""
    groups: dict[int, list[str]] = {}
    for name, entry in target.ops.items():
        groups.setdefault(id(entry), []).append(name)
    rows: tuple[Row, ...] = tuple(_op_row(names, target.ops[names[0]], target) for names in groups.values())
    columns = (
        Column("ops", "op", Kind.NAMES),
        Column("dtypes", "dtypes"),
        Column("conditions", "conditions"),
        Column("basis", "basis"),
        Column("source", "source", Kind.NAME),
    )
    return Table("ops", "Ops", columns, rows)


def _op_row(names: list[str], entry: OpEntry, target: Target) -> Row:
    conditions = [_condition(use.message or sentence(use), str(use.outcome)) for use in entry.rules]
    if not entry.accelerated:
        conditions = ["not accelerated"]
    if entry.note:
        conditions.append(f"({entry.note})")
    return {
        "ops": names,
        "dtypes": ", ".join(entry.dtypes or ()),
        "conditions": "; ".join(conditions),
        "basis": str(entry.basis or target.basis),
        "source": entry.source or target.source,
    }


def _condition(text: str, outcome: str) -> str:
    return f"{text} (else unknown)" if outcome == "unknown" else text


def _sources(target: Target) -> Table:
    columns = (
        Column("key", "source", Kind.NAME),
        Column("title", "what"),
        Column("version", "version"),
        Column("where", "where"),
    )
    rows: tuple[Row, ...] = tuple(
        {"key": key, "title": s.title, "version": s.version, "where": s.where}
        for key, s in target.sources.items()
    )
    return Table("sources", "Sources", columns, rows)


def linted(result: Linted, subject: Subject, environment: Mapping[str, str]) -> Report:
    """Returns the report of `edgekit target lint`."""
    errors = sum(d.severity is Severity.ERROR for d in result.problems)
    warnings = len(result.problems) - errors
    checked = f"{len(result.checked)} descriptor{'s' if len(result.checked) != 1 else ''}"
    if errors:
        verdict = Verdict(VerdictStatus.ERROR, f"{errors} errors in {checked}", ExitCode.USAGE)
    elif warnings:
        verdict = Verdict(VerdictStatus.FAILED, f"{warnings} warnings in {checked}", ExitCode.DOES_NOT_HOLD)
    else:
        verdict = Verdict(VerdictStatus.OK, f"nothing to say of {checked}")
    return Report("target lint", subject, verdict, diagnostics=result.problems, environment=environment)
