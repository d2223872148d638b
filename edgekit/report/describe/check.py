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

STAYS_FLOAT = "EK401"
"""Why parts of a quantised model stay in float: told beside the causes that this has."""

CODES = {Placement.FALLBACK: "EK310", Placement.UNSUPPORTED: "EK311", Placement.UNKNOWN: "EK312"}
_SAYS = {
    Placement.FALLBACK: (
        "{ops} falls back to the CPU on {targets}: {rule}",
        "{ops} fall back to the CPU on {targets}: {rule}",
    ),
    Placement.UNSUPPORTED: (
        "{ops} runs nowhere on {targets}: {rule}",
        "{ops} run nowhere on {targets}: {rule}",
    ),
    Placement.UNKNOWN: (
        "it cannot be told where {ops} runs on {targets}: {rule}",
        "it cannot be told where {ops} run on {targets}: {rule}",
    ),
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
        yield from (d for d in view.lowered.diagnostics if d.code != STAYS_FLOAT)


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
    """One diagnostic for each cause; ops and targets of which the same is said share it."""
    groups: dict[tuple[object, ...], list[tuple[Ruling, Cause]]] = {}
    for ruling in outcome.rulings:
        for cause in ruling.result.causes:
            groups.setdefault((cause.placement, *_said(cause)), []).append((ruling, cause))
    for pairs in groups.values():
        yield _cause(pairs, policy)


def _said(cause: Cause) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """What is said of a cause, apart from the name of the op."""
    return tuple((b.reason.message, tuple(v for v in b.values if v != cause.op)) for b in cause.rules)


def _cause(pairs: list[tuple[Ruling, Cause]], policy: Policy) -> Diagnostic:
    first = pairs[0][1]
    ops = list(dict.fromkeys(cause.op for _, cause in pairs))
    targets = list(dict.fromkeys(ruling.result.target.id for ruling, _ in pairs))
    origins = tuple(dict.fromkeys(origin for _, cause in pairs for origin in cause.origins))
    text = _SAYS[first.placement][len(ops) > 1].format(
        ops=_quoted(ops, 4), targets=_quoted(targets, FEW), rule=first.reason.message
    )
    return Diagnostic(
        CODES[first.placement],
        text,
        max((_severity(r, c, policy) for r, c in pairs), key=_LEVELS.index),
        where=_where(origins),
        notes=tuple(_notes(pairs)),
        data={
            "ops": ops,
            "rules": [
                {"rule": b.reason.rule, "message": b.reason.message, "values": dict(b.values)}
                for b in first.rules
            ],
            "targets": targets,
            "places": _places(origins),
        },
    )


def _quoted(names: list[str], most: int) -> str:
    shown = [f"`{name}`" for name in names[:most]]
    rest = len(names) - most
    if rest > 0:
        return f"{', '.join(shown)} and {rest} more"
    return " and ".join(filter(None, (", ".join(shown[:-1]), shown[-1])))


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
    yield from _rules(cause)
    if cause.others:
        yield f"other rules keep {cause.others} of these ops off the accelerator besides"
    yield from _worth([c for r, c in pairs if r is ruling], ruling)
    yield from dict.fromkeys(m for r, c in pairs for m in _why_float(r, c))
    source, basis = cause.reason.source, cause.reason.basis
    if source is not None:
        yield f"source: {source.title}, {source.version} ({basis})"
    if cause.reason.note:
        yield cause.reason.note
    waived = [f"waived until {w.expires}: {w.reason}" for n, w in ruling.waived if _concerns(cause, n)]
    yield from dict.fromkeys(waived)


def _rules(cause: Cause) -> Iterator[str]:
    for number, broken in enumerate(cause.rules):
        told = list(broken.values) != [cause.op] and broken.reason.rule != "unlisted"
        values = check_tables.found_text(broken, 4)
        if number:
            yield f"also: {broken.reason.message}" + (f" (found: {values})" if told else "")
        elif told:
            yield f"found: {values}"


def _worth(causes: list[Cause], ruling: Ruling) -> Iterator[str]:
    """What the causes of one target weigh."""
    share = sum(check_tables.macs_share(ruling.result, c) or 0.0 for c in causes)
    if share:
        yield f"{show(share, Kind.SHARE)} of the multiply-accumulates of the model"
    saves = sum(c.saves or 0.0 for c in causes)
    if saves:
        yield f"saves {show(saves, Kind.SECONDS)} if it goes (estimated)"


def _why_float(ruling: Ruling, cause: Cause) -> Iterator[str]:
    names = set(_names(cause.origins))
    for diagnostic in ruling.result.view.lowered.diagnostics:
        own = diagnostic.code == STAYS_FLOAT and diagnostic.message.startswith(f"`{cause.op}`")
        if own and names & set(diagnostic.where.nodes):
            yield diagnostic.message


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
