"""`judge`: what a target says of the ops that a lowering emitted, rolled up to the source nodes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property, lru_cache

from edgekit.compat.compiled import Table
from edgekit.compat.facts import Facts, facts_of
from edgekit.compat.finding import (
    JudgedNode,
    JudgedOp,
    Judgement,
    NodeVerdict,
    OpVerdict,
    Placement,
    Reason,
)
from edgekit.compat.placement import Placing, placed, predecessors_of
from edgekit.diagnostics import Diagnostic, Severity
from edgekit.ir import Origin
from edgekit.lowering.driver import REFUSED
from edgekit.lowering.ledger import Emitted, Lowered, Subgraph
from edgekit.target import Outcome, Target
from edgekit.target.identity import Same


class Subject:
    """A lowered model, ready to be judged against many targets: the facts of each op are kept.

    Attributes:
        dialect: Whose names its ops have.
        facts: The ops in execution order; those of nested graphs follow the op that holds them.
        diagnostics: What the lowering refused.
        sources: Origins of all source nodes; those without an op need none. Empty if only the ops count.
    """

    def __init__(
        self,
        ops: Iterable[Emitted],
        dialect: str,
        diagnostics: tuple[Diagnostic, ...] = (),
        sources: Iterable[Origin] = (),
    ) -> None:
        self.dialect = dialect
        self.facts: tuple[Facts, ...] = tuple(facts_of(op, dialect) for op in _flat(ops))
        self.diagnostics = diagnostics
        self.sources = tuple(sources)

    @cached_property
    def placing(self) -> Placing:
        """The graph that its ops make."""
        return Placing(self.facts, predecessors_of(self.facts))

    @cached_property
    def by_node(self) -> Mapping[str, tuple[int, ...]]:
        """The positions of the ops of each source node; an op without an origin is a node of its own."""
        found: dict[str, list[int]] = {}
        for index, op in enumerate(self.facts):
            for name in op.emitted.origin.nodes or (f"{op.name}:{index}",):
                found.setdefault(name, []).append(index)
        return {name: tuple(positions) for name, positions in found.items()}

    @property
    def refused(self) -> tuple[Diagnostic, ...]:
        """What has no ops."""
        return tuple(d for d in self.diagnostics if d.severity is Severity.ERROR)

    @classmethod
    def of(cls, lowered: Lowered, sources: Iterable[Origin] = ()) -> Subject:
        """Returns the subject of a ledger.

        Args:
            lowered: The ledger.
            sources: Origins of all nodes of the source model, where it is at hand.
        """
        return cls(lowered.main.ops, lowered.backend, lowered.diagnostics, sources)


def judge(model: Lowered | Subject, target: Target, cpus: Sequence[Target] = ()) -> Judgement:
    """Judges the emitted ops of a model against a target.

    Args:
        model: A ledger in the target's dialect; a `Subject` where many targets judge the same one.
        target: The target.
        cpus: What judges the ops that fall back, one CPU behind the other.

    Returns:
        A verdict for every emitted op and every source node, with every reason.

    Raises:
        ValueError: If the model is in another dialect than the target.
    """
    subject = model if isinstance(model, Subject) else Subject.of(model)
    if subject.dialect != target.dialect:
        raise ValueError(f"a model in the dialect `{subject.dialect}` for a target of `{target.dialect}`")
    table = table_of(target)
    verdicts = [table.judge(f) for f in subject.facts]
    if target.graph:
        verdicts = [*placed(verdicts, subject.placing, table)]
    behind = [table_of(cpu) for cpu in cpus]
    verdicts = [_behind(f, v, behind) for f, v in zip(subject.facts, verdicts, strict=True)]
    ops = tuple(
        JudgedOp(i, f.emitted, v) for i, (f, v) in enumerate(zip(subject.facts, verdicts, strict=True))
    )
    return Judgement(target, ops, tuple(_nodes(ops, subject)), diagnostics=subject.refused)


def _behind(op: Facts, verdict: OpVerdict, cpus: Sequence[Table]) -> OpVerdict:
    """What falls back must have a kernel on a CPU; a refused node runs nowhere.

    Each CPU may fall back in turn, to the next or to slower kernels of its own.
    """
    if op.name.startswith(REFUSED):
        return OpVerdict(Placement.UNSUPPORTED)
    if verdict.placement is not Placement.FALLBACK or not cpus:
        return verdict
    cpu, *behind = cpus
    found = _behind(op, cpu.judge(op), behind)
    if found.placement is not Placement.UNSUPPORTED:
        return verdict
    missing = tuple(replace(r, message=f"{r.message} (on the CPU: {cpu.target.id})") for r in found.reasons)
    return replace(verdict, placement=Placement.UNSUPPORTED, reasons=(*verdict.reasons, *missing))


def table_of(target: Target) -> Table:
    """Returns the table of a target, built once."""
    return _table(Same(target))


@lru_cache(maxsize=512)
def _table(target: Same) -> Table:
    return Table(target.value)


def _flat(ops: Iterable[Emitted]) -> Iterator[Emitted]:
    for op in ops:
        yield op
        for value in op.attrs.values():
            if isinstance(value, Subgraph):
                yield from _flat(value.ops)


def _nodes(ops: tuple[JudgedOp, ...], subject: Subject) -> Iterator[JudgedNode]:
    """Rolls verdicts up: a node is as good as the worst of its ops."""
    by_node = subject.by_node
    lost = {name: d for d in subject.refused for name in d.where.nodes}
    for name, positions in by_node.items():
        if name not in lost:
            yield _node(name, tuple([ops[i] for i in positions]))
    for name, diagnostic in lost.items():
        reason = Reason("lowering", Outcome.FAIL, diagnostic.message, diagnostic.code)
        origin = Origin((name,), diagnostic.where.scope, diagnostic.where.file, diagnostic.where.line)
        of_node = tuple(ops[i] for i in by_node.get(name, ()))
        yield JudgedNode(name, NodeVerdict.UNSUPPORTED, of_node, (reason,), origin)
    for origin in subject.sources:
        for name in origin.nodes:
            if name not in by_node and name not in lost:
                yield JudgedNode(name, NodeVerdict.NATIVE, (), (), origin)


_WORST: Mapping[Placement, NodeVerdict] = {
    Placement.UNSUPPORTED: NodeVerdict.UNSUPPORTED,
    Placement.FALLBACK: NodeVerdict.FALLBACK,
    Placement.UNKNOWN: NodeVerdict.UNKNOWN,
}
"""What a node is if one of its ops has this placement, the worst first."""


def _node(name: str, ops: tuple[JudgedOp, ...]) -> JudgedNode:
    placements = {op.verdict.placement for op in ops}
    bad = next((_WORST[placement] for placement in _WORST if placement in placements), None)
    verdict = bad or (NodeVerdict.NATIVE if len(ops) == 1 else NodeVerdict.DECOMPOSED)
    reasons: tuple[Reason, ...] = ops[0].verdict.reasons
    if len(ops) > 1:
        reasons = tuple(dict.fromkeys(reason for op in ops for reason in op.verdict.reasons))
    return JudgedNode(name, verdict, ops, reasons, ops[0].emitted.origin)


__all__ = ["OpVerdict", "Subject", "judge", "table_of"]
