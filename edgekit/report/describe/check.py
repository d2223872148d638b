"""What targets say of a model, as a report."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from edgekit.compat.causes import Cause
from edgekit.compat.check import Compatibility, Result, Skipped
from edgekit.compat.finding import JudgedNode, NodeVerdict, Placement
from edgekit.compat.policy import Outcome, Policy, Ruling
from edgekit.diagnostics import Diagnostic, ExitCode, Severity, Where
from edgekit.ir import Origin
from edgekit.report.describe import check_graph, check_tables
from edgekit.report.describe.model import FORMATS
from edgekit.report.describe.model import subject as model_subject
from edgekit.report.model import Check, CheckStatus, Kind, Report, Subject, Verdict, VerdictStatus
from edgekit.report.values import show

FEW = 6
"""Up to this many targets every cause is a diagnostic and every node a check; above, tables hold them."""

CODES = {Placement.FALLBACK: "EK310", Placement.UNSUPPORTED: "EK311", Placement.UNKNOWN: "EK312"}
_SAYS = {
    Placement.FALLBACK: "`{op}` falls back to the CPU on {targets}: {rule}",
    Placement.UNSUPPORTED: "`{op}` runs nowhere on {targets}: {rule}",
    Placement.UNKNOWN: "it cannot be told where `{op}` runs on {targets}: {rule}",
}


def report(found: Compatibility, outcome: Outcome, policy: Policy, *, path: str | None = None) -> Report:
    """Returns the report of a check.

    Args:
        found: What the targets say.
        outcome: What of it counts.
        policy: How strict the check was.
        path: The model as the user named it.
    """
    few = len(found.results) <= FEW
    graph = (check_graph.graph(found),) if found.results else ()
    return Report(
        "check",
        _subject(found, path),
        _verdict(found, outcome, policy),
        (*check_tables.sections(found, outcome, few=few), *graph),
        tuple(_checks(outcome, few)),
        tuple(_diagnostics(found, outcome, policy, few)),
    )


def _subject(found: Compatibility, path: str | None) -> Subject:
    candidate = found.candidate
    if candidate.model is not None:
        about = model_subject(candidate.model)
        return Subject(about.name, about.format, path or about.path, about.sha256, about.size)
    own = {"tflite": "TFLite", "coreml": "Core ML"}.get(candidate.own or "", FORMATS.get("onnx", "ONNX"))
    return Subject(candidate.name, own, path or str(candidate.path))


def _verdict(found: Compatibility, outcome: Outcome, policy: Policy) -> Verdict:
    name = found.candidate.name
    if not outcome.checked:
        text = f"nothing could be told of `{name}`"
        return Verdict(VerdictStatus.UNVERIFIED, text, ExitCode.NOTHING_CHECKED)
    total = len(outcome.rulings) + len(found.skipped)
    good = sum(r.holds for r in outcome.rulings)
    full = sum(r.result.full for r in outcome.rulings)
    text = f"`{name}` holds on {good} of {_number(total, 'target')} (fails on: {policy.fail_on})"
    text += f", runs fully on {full}"
    if policy.baseline is not None:
        text += ", regressions only"
    if not outcome.holds:
        return Verdict(VerdictStatus.FAILED, text, ExitCode.DOES_NOT_HOLD)
    undecided = sum(r.result.count(NodeVerdict.UNKNOWN) > 0 for r in outcome.rulings if r.holds)
    if undecided == good:
        text += "; of each, nodes are undecided" if good > 1 else "; nodes are undecided"
        return Verdict(VerdictStatus.UNVERIFIED, text)
    return Verdict(VerdictStatus.OK, text)


def _checks(outcome: Outcome, few: bool) -> Iterator[Check]:
    for ruling in outcome.rulings:
        target = ruling.result.target.id
        if few:
            yield from (_node_check(target, node, ruling) for node in ruling.result.nodes)
        else:
            status = CheckStatus.PASS if ruling.holds else CheckStatus.FAIL
            message = "" if ruling.holds else f"{_number(len(ruling.failing), 'node')} fail"
            yield Check(target, status, message, ruling.result.judgement.evidence)


def _node_check(target: str, node: JudgedNode, ruling: Ruling) -> Check:
    waived = {id(n): w for n, w in ruling.waived}
    evidence, name = str(ruling.result.judgement.evidence), f"{target}: {node.name}"
    reasons = "; ".join(dict.fromkeys(f"{r.message} ({r.got})" for r in node.reasons))
    message = f"{node.verdict}: {reasons}" if reasons else str(node.verdict)
    if id(node) in waived:
        return Check(name, CheckStatus.PASS, f"{message}; waived: {waived[id(node)].reason}", evidence)
    if node in ruling.failing:
        return Check(name, CheckStatus.FAIL, message, evidence)
    undecided = node.verdict is NodeVerdict.UNKNOWN
    return Check(name, CheckStatus.UNCHECKED if undecided else CheckStatus.PASS, message, evidence)


def _diagnostics(found: Compatibility, outcome: Outcome, policy: Policy, few: bool) -> Iterator[Diagnostic]:
    yield from _lowering(found)
    for skipped in found.skipped:
        yield _skipped(skipped)
    for ruling in outcome.rulings:
        yield from _memory(ruling)
    if few:
        yield from _causes(outcome, policy)
    for waiver in outcome.expired:
        message = f"a waiver has expired on {waiver.expires}: {waiver.reason}"
        yield Diagnostic("EK209", message, Severity.WARNING, waiver.where)
    for waiver in outcome.unused:
        message = f"a waiver covers nothing: {waiver.reason}"
        yield Diagnostic("EK209", message, Severity.WARNING, waiver.where)


def _lowering(found: Compatibility) -> Iterator[Diagnostic]:
    """What the lowerings refused, once for each form of the model."""
    for view in {id(r.view): r.view for r in found.results}.values():
        yield from view.lowered.diagnostics


def _skipped(skipped: Skipped) -> Diagnostic:
    first = skipped.diagnostics[0]
    message = f"`{skipped.target.id}` cannot judge the model: {first.message}"
    return Diagnostic("EK314", message, notes=first.notes, help=first.help)


def _memory(ruling: Ruling) -> Iterator[Diagnostic]:
    result = ruling.result
    for what, fit in (("activations", result.sram), ("parameters", result.flash)):
        if fit.fits is False:
            sizes = f"{show(fit.need, Kind.SIZE)} of {show(fit.have, Kind.SIZE)}"
            message = f"the model does not fit into the memory of `{result.target.id}`: {what} take {sizes}"
            peak = _at_peak(result) if what == "activations" else Origin()
            yield Diagnostic("EK313", message, where=_where((peak,)))


def _at_peak(result: Result) -> Origin:
    ops = result.view.lowered.main.ops
    return ops[result.memory.peak].origin if ops else Origin()


def _causes(outcome: Outcome, policy: Policy) -> Iterator[Diagnostic]:
    """One diagnostic for each cause; targets that say the same share it."""
    groups: dict[tuple[object, ...], list[tuple[Ruling, Cause]]] = {}
    for ruling in outcome.rulings:
        for cause in ruling.result.causes:
            key = (cause.placement, cause.op, *_said(cause))
            groups.setdefault(key, []).append((ruling, cause))
    for pairs in groups.values():
        yield _cause(pairs, policy)


def _said(cause: Cause) -> tuple[tuple[str, tuple[str, ...]], ...]:
    return tuple((b.reason.message, tuple(b.values)) for b in cause.rules)


def _cause(pairs: list[tuple[Ruling, Cause]], policy: Policy) -> Diagnostic:
    cause = pairs[0][1]
    targets = ", ".join(f"`{ruling.result.target.id}`" for ruling, _ in pairs)
    text = _SAYS[cause.placement].format(op=cause.op, targets=targets, rule=cause.reason.message)
    severity = max((_severity(r, c, policy) for r, c in pairs), key=list(_LEVELS).index)
    return Diagnostic(
        CODES[cause.placement],
        text,
        severity,
        where=_where(cause.origins),
        notes=tuple(_notes(pairs)),
        data={
            "op": cause.op,
            "rules": [
                {"rule": b.reason.rule, "message": b.reason.message, "values": dict(b.values)}
                for b in cause.rules
            ],
            "targets": [r.result.target.id for r, _ in pairs],
            "macs": cause.macs,
            "places": _places(cause.origins),
        },
    )


_LEVELS = (Severity.NOTE, Severity.WARNING, Severity.ERROR)
_PLAIN = {
    Placement.FALLBACK: Severity.WARNING,
    Placement.UNSUPPORTED: Severity.WARNING,
    Placement.UNKNOWN: Severity.NOTE,
}


def _severity(ruling: Ruling, cause: Cause, policy: Policy) -> Severity:
    """An error where a node with this cause fails; else how much one should care."""
    nodes = {name for origin in cause.origins for name in origin.nodes}
    failing = any(node.name in nodes for node in ruling.failing)
    return Severity.ERROR if failing else _PLAIN[cause.placement]


def _notes(pairs: list[tuple[Ruling, Cause]]) -> Iterator[str]:
    ruling, cause = pairs[0]
    for number, broken in enumerate(cause.rules):
        values = check_tables.found_text(broken, 4)
        if number:
            yield f"also: {broken.reason.message} (found: {values})"
        elif broken.reason.rule != "unlisted":
            yield f"found: {values}"
    if cause.others:
        yield f"other rules keep {cause.others} of these ops off the accelerator besides"
    share = check_tables.macs_share(ruling.result, cause)
    if share:
        yield f"{show(cause.macs, Kind.OPS)} MACs, {show(share, Kind.SHARE)} of the model"
    if cause.saves:
        yield f"saves {show(cause.saves, Kind.SECONDS)} if it goes (estimated)"
    source, basis = cause.reason.source, cause.reason.basis
    if source is not None:
        yield f"source: {source.title}, {source.version} ({basis})"
    if cause.reason.note:
        yield cause.reason.note
    reasons = [f"waived until {w.expires}: {w.reason}" for n, w in ruling.waived if _concerns(cause, n)]
    yield from dict.fromkeys(reasons)


def _concerns(cause: Cause, node: JudgedNode) -> bool:
    return any(node.name in origin.nodes for origin in cause.origins)


def _places(origins: tuple[Origin, ...]) -> list[Mapping[str, object]]:
    places: dict[tuple[str | None, int | None], list[Origin]] = {}
    for origin in origins:
        places.setdefault((origin.file, origin.line), []).append(origin)
    return [
        {"file": file, "line": line, "scope": of[0].scope, "nodes": _names(tuple(of))}
        for (file, line), of in places.items()
    ]


def _where(origins: tuple[Origin, ...]) -> Where:
    union = Origin()
    for origin in origins:
        union = union | origin
    return Where(union.file, union.line, tuple(_names(origins)), union.scope)


def _names(origins: tuple[Origin, ...]) -> list[str]:
    return list(dict.fromkeys(name for origin in origins for name in origin.nodes))


def _number(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
