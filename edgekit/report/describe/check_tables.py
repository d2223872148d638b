"""The tables of a check: targets, what to fix first, partitions, memory, nodes."""

from __future__ import annotations

from collections.abc import Iterator

from edgekit.compat.causes import Broken, Cause
from edgekit.compat.check import Compatibility, Result, tflm_arena
from edgekit.compat.cost import FORMULA
from edgekit.compat.finding import JudgedNode, NodeVerdict, Placement
from edgekit.compat.policy import Outcome, Ruling
from edgekit.compat.resolver import resolver
from edgekit.ir import Origin
from edgekit.report.model import Column, Fact, Facts, Kind, Prose, Row, Section, Table
from edgekit.target import Target

MOST_CAUSES = 12
"""Rows of the table of what to fix first; the rest is in the diagnostics and the table of nodes."""

DIALECTS = {"tflite": "TFLite", "onnx": "ONNX", "coreml": "Core ML"}


def sections(found: Compatibility, outcome: Outcome, *, few: bool) -> Iterator[Section]:
    """Yields the sections of a report, the matrix of targets first."""
    if outcome.rulings:
        yield summary(found, outcome)
        yield matrix(outcome)
    if len(outcome.rulings) > 1 and found.recommended():
        yield recommendation(found)
    for ruling in outcome.rulings:
        suffix = "" if len(outcome.rulings) == 1 else f" on {ruling.result.target.id}"
        yield from _of_target(ruling, suffix, alone=len(outcome.rulings) == 1, few=few)


def summary(found: Compatibility, outcome: Outcome) -> Facts:
    """The model in a few numbers; those of its ops as the first target sees them."""
    first = outcome.rulings[0].result
    known = [c.macs for c in first.costs if c.macs is not None]
    facts = (
        Fact("nodes", "source nodes", len(first.view.nodes), Kind.COUNT),
        Fact("ops", f"ops in {DIALECTS[first.view.dialect]}", len(first.judgement.ops), Kind.COUNT),
        Fact("macs", "MACs", sum(known), Kind.OPS),
        Fact("parameters", "parameter bytes", first.memory.parameters, Kind.SIZE),
        Fact("full", "targets that run all", len(found.recommended()), Kind.COUNT),
    )
    return Facts("model", "Model", facts)


def matrix(outcome: Outcome) -> Table:
    """One row for each target."""
    rows = tuple(_matrix_row(r.result) for r in outcome.rulings)
    columns = (
        Column("target", "target", Kind.NAME),
        Column("verdict", "verdict", Kind.STATUS),
        Column("macs", "MACs", Kind.SHARE),
        Column("native", "native", Kind.COUNT),
        Column("decomposed", "decomp", Kind.COUNT),
        Column("fallback", "CPU", Kind.COUNT),
        Column("unsupported", "none", Kind.COUNT),
        Column("unknown", "?", Kind.COUNT),
        Column("time", "time", Kind.SECONDS),
        Column("memory", "memory", Kind.STATUS),
    )
    told = [_LEGEND]
    if any(row["time"] is not None for row in rows):
        told.append(f"time: estimated, {FORMULA}")
    notes = [n for r in outcome.rulings for n in r.result.view.notes]
    kept = tuple(c for c in columns if any(row[c.key] is not None for row in rows))
    return Table("targets", "Targets", kept, rows, "; ".join((*told, *dict.fromkeys(notes))))


_LEGEND = (
    "MACs: the share that is known to run on the accelerator; then nodes of the model: as one op, as "
    "several, on the CPU, nowhere, undecided"
)


def _matrix_row(result: Result) -> Row:
    counts = {str(verdict): result.count(verdict) for verdict in NodeVerdict}
    share = (result.coverage.macs or result.coverage.ops).get(Placement.ACCELERATED, 0.0)
    return {
        "target": result.target.id,
        "verdict": _word(result),
        "macs": share,
        **counts,
        "time": result.time,
        "memory": _memory_word(result),
    }


def _word(result: Result) -> str:
    if result.count(NodeVerdict.UNSUPPORTED):
        return "fails"
    if result.sram.fits is False or result.flash.fits is False:
        return "too big"
    if result.full:
        return "full"
    return "partly" if result.count(NodeVerdict.FALLBACK) else "open"


def _memory_word(result: Result) -> str | None:
    known = [fit.fits for fit in (result.sram, result.flash) if fit.fits is not None]
    if not known:
        return None
    return "fits" if all(known) else "too big"


def recommendation(found: Compatibility) -> Table:
    """The targets that run all of the model."""
    columns = (
        Column("target", "target", Kind.NAME),
        Column("title", "what it is"),
        Column("toolchain", "toolchain"),
        Column("time", "time (estimated)", Kind.SECONDS),
        Column("basis", "basis"),
    )
    rows = tuple(
        {
            "target": r.target.id,
            "title": r.target.title,
            "toolchain": toolchain(r.target),
            "time": r.time,
            "basis": str(r.target.basis),
        }
        for r in found.recommended()
    )
    return Table("recommended", "Run all of it", columns, rows)


def toolchain(target: Target) -> str:
    """Returns whose rules were applied."""
    return f"{target.toolchain.name} {target.toolchain.version}"


def _of_target(ruling: Ruling, suffix: str, *, alone: bool, few: bool) -> Iterator[Section]:
    result = ruling.result
    id_ = result.target.id
    if result.causes:
        yield fix_first(result, f"fix-first-{id_}", f"Fix this first{suffix}", detail=not few)
    yield placement(result, f"placement-{id_}", f"Where it runs{suffix}", detail=not alone)
    methods = _resolver(result)
    if methods is not None:
        yield Prose(f"resolver-{id_}", f"Kernels for TFLM{suffix}", methods, detail=True)
    if len(result.partitions) > 1:
        yield partitions(result, f"partitions-{id_}", f"Partitions{suffix}")
    yield nodes(ruling, f"nodes-{id_}", f"Nodes{suffix}")


def fix_first(result: Result, id: str, title: str, *, detail: bool) -> Table:
    """Causes by the time that is saved if they go."""
    columns = (
        Column("op", "op", Kind.NAME),
        Column("rule", "must hold"),
        Column("found", "found"),
        Column("ops", "ops", Kind.COUNT),
        Column("macs", "MACs", Kind.SHARE),
        Column("saves", "saves", Kind.SECONDS),
        Column("basis", "basis"),
        Column("where", "first at", Kind.NAME),
    )
    rows = tuple(
        {
            "op": c.op,
            "rule": "; ".join(b.reason.message for b in c.rules),
            "found": "; ".join(found_text(b, 2) for b in c.rules if b.reason.rule != "unlisted") or None,
            "ops": len(c.ops),
            "macs": macs_share(result, c),
            "saves": c.saves,
            "basis": str(c.reason.basis or ""),
            "where": place(c.origins[0]) if c.origins else None,
        }
        for c in result.causes[:MOST_CAUSES]
    )
    rest = len(result.causes) - len(rows)
    note = f"{rest} more causes are in the table of nodes" if rest > 0 else ""
    return Table(id, title, columns, rows, note, detail)


def found_text(broken: Broken, most: int) -> str:
    """Returns the offending values of a rule, the most frequent first."""
    values = sorted(broken.values, key=lambda v: -broken.values[v])
    return ", ".join(values[:most]) + (f" and {len(values) - most} more" if len(values) > most else "")


def macs_share(result: Result, cause: Cause) -> float | None:
    """Returns the share of the model's arithmetic that a cause concerns."""
    whole = sum(c.macs or 0 for c in result.costs)
    return None if cause.macs is None or not whole else cause.macs / whole


def place(origin: Origin) -> str:
    """Returns where something comes from: the user's line, else the scope, else the node."""
    if origin.file is not None:
        return origin.file if origin.line is None else f"{origin.file}:{origin.line}"
    return origin.scope or (origin.nodes[0] if origin.nodes else "")


def placement(result: Result, id: str, title: str, *, detail: bool) -> Facts:
    """Coverage, crossings, memory, and what the verdicts rest on."""
    share, memory, target = result.coverage, result.memory, result.target
    accelerated = Placement.ACCELERATED

    def part(weights: object) -> float | None:
        return weights.get(accelerated, 0.0) if isinstance(weights, dict) else None

    of_accelerator = [p for p in result.partitions if p.placement is accelerated]
    facts = (
        Fact("title", "target", target.title),
        Fact("toolchain", "toolchain", toolchain(target)),
        Fact("form", "judged as", f"{DIALECTS[result.view.dialect]}, {result.view.form}"),
        Fact("evidence", "evidence", f"{result.judgement.evidence}; rules are {target.basis}"),
        Fact("macs", "MACs on the accelerator", part(share.macs), Kind.SHARE),
        Fact("bytes", "bytes moved there", part(share.bytes), Kind.SHARE),
        Fact("time_share", "time there (estimated)", part(share.time), Kind.SHARE),
        Fact("time", "time of a run (estimated)", result.time, Kind.SECONDS),
        Fact("partitions", "parts on the accelerator", len(of_accelerator), Kind.COUNT),
        Fact("parts", "parts in all", len(result.partitions), Kind.COUNT),
        Fact("crossings", "tensors that cross", result.crossings.tensors, Kind.COUNT),
        Fact("crossing_bytes", "bytes that cross", result.crossings.bytes, Kind.SIZE),
        Fact("arena", "arena", memory.arena, Kind.SIZE),
        Fact("arena_bound", "no arena is below", memory.lower_bound, Kind.SIZE),
        Fact("arena_tflm", "arena as TFLM plans it", _tflm(result), Kind.SIZE),
        Fact("sram", "memory for it", result.sram.have, Kind.SIZE),
        Fact("parameters", "parameters", memory.parameters, Kind.SIZE),
        Fact("flash", "memory for them", result.flash.have, Kind.SIZE),
        Fact("peak", "peak at", _peak(result), Kind.NAME),
        Fact("in_place", "ops that could work in place", memory.in_place or None, Kind.COUNT),
        Fact("unsized", "tensors of unknown size", memory.unknown or None, Kind.COUNT),
    )
    return Facts(id, title, tuple(f for f in facts if f.value is not None), detail)


def _peak(result: Result) -> str | None:
    ops = result.view.lowered.main.ops
    if not ops:
        return None
    op = ops[result.memory.peak]
    return f"{op.op} ({place(op.origin)})"


def _tflm(result: Result) -> int | None:
    is_tflm = "tflite-micro" in _runtimes(result.target)
    return tflm_arena(result.view.lowered.main) if is_tflm else None


def _runtimes(target: Target) -> str:
    """Returns the names of the runtimes that a target speaks of, in lower case."""
    return f"{target.toolchain.name} {target.cpu or ''} {target.id}".lower().replace("tflm", "tflite-micro")


def _resolver(result: Result) -> str | None:
    if result.view.dialect != "tflite" or "tflite-micro" not in _runtimes(result.target):
        return None
    ethos = result.target.id.startswith("ethos-u")
    left = [
        op.emitted.op for op in result.judgement.ops if not ethos or op.placement is not Placement.ACCELERATED
    ]
    methods, missing = resolver(left, ethos_u=ethos and len(left) < len(result.judgement.ops))
    lines = [f"    static tflite::MicroMutableOpResolver<{len(methods)}> resolver;"]
    lines += [f"    resolver.{method}();" for method in methods]
    if missing:
        names = ", ".join(f"`{name}`" for name in missing)
        lines += ["", f"TFLM has no kernel for {names}."]
    return "\n".join(lines)


def partitions(result: Result, id: str, title: str) -> Table:
    """What runs in one go at one place."""
    columns = (
        Column("number", "part", Kind.COUNT),
        Column("place", "place", Kind.STATUS),
        Column("ops", "ops", Kind.COUNT),
        Column("macs", "MACs", Kind.OPS),
        Column("first", "from", Kind.NAME),
        Column("last", "to", Kind.NAME),
    )
    ops = result.judgement.ops
    rows: list[Row] = []
    for number, part in enumerate(result.partitions, start=1):
        known = [result.costs[i].macs for i in part.ops]
        rows.append(
            {
                "number": number,
                "place": str(part.placement),
                "ops": len(part.ops),
                "macs": None if None in known else sum(m or 0 for m in known),
                "first": place(ops[part.ops[0]].emitted.origin),
                "last": place(ops[part.ops[-1]].emitted.origin),
            }
        )
    return Table(id, title, columns, tuple(rows), detail=True)


def nodes(ruling: Ruling, id: str, title: str) -> Table:
    """Every source node with all its reasons."""
    columns = (
        Column("node", "node", Kind.NAME),
        Column("op", "op", Kind.NAME),
        Column("verdict", "verdict", Kind.STATUS),
        Column("emitted", "runs as", Kind.NAMES),
        Column("reasons", "reasons"),
        Column("basis", "basis"),
        Column("where", "where", Kind.NAME),
    )
    result = ruling.result
    types = {node.name: node.op for node in result.view.nodes}
    rows = tuple(_node_row(node, types.get(node.name, "")) for node in result.nodes)
    waived = f"{len(ruling.waived)} waived" if ruling.waived else ""
    return Table(id, title, columns, rows, waived, detail=True)


def _node_row(node: JudgedNode, op: str) -> Row:
    reasons = dict.fromkeys(f"{r.message} (found: {r.got})" for r in node.reasons)
    bases = dict.fromkeys(str(r.basis) for r in node.reasons if r.basis)
    return {
        "node": node.name,
        "op": op,
        "verdict": str(node.verdict),
        "emitted": list(dict.fromkeys(o.emitted.op for o in node.ops)),
        "reasons": "; ".join(reasons) or None,
        "basis": ", ".join(bases) or None,
        "where": place(node.origin),
    }
