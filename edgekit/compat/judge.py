"""`judge`: what a target says of the ops that a lowering emitted, rolled up to the source nodes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
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
from edgekit.lowering.ledger import Emitted, Lowered, Subgraph
from edgekit.target import Outcome, Target


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


def judge(model: Lowered | Subject, target: Target) -> Judgement:
    """Judges the emitted ops of a model against a target.

    Args:
        model: A ledger in the target's dialect; a `Subject` where many targets judge the same one.
        target: The target.

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
    ops = tuple(
        JudgedOp(i, f.emitted, v) for i, (f, v) in enumerate(zip(subject.facts, verdicts, strict=True))
    )
    return Judgement(target, ops, tuple(_nodes(ops, subject)), diagnostics=subject.refused)


def table_of(target: Target) -> Table:
    """Returns the table of a target, built once."""
    return _table(_ById(target))


class _ById:
    """Lets targets be keys by identity: they hold mappings."""

    def __init__(self, target: Target) -> None:
        self.target = target

    def __hash__(self) -> int:
        return id(self.target)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _ById) and other.target is self.target


@lru_cache(maxsize=512)
def _table(key: _ById) -> Table:
    return Table(key.target)


def _flat(ops: Iterable[Emitted]) -> Iterator[Emitted]:
    for op in ops:
        yield op
        for value in op.attrs.values():
            if isinstance(value, Subgraph):
                yield from _flat(value.ops)


def _nodes(ops: tuple[JudgedOp, ...], subject: Subject) -> Iterator[JudgedNode]:
    """Rolls verdicts up: a node is as good as the worst of its ops."""
    by_node: dict[str, list[JudgedOp]] = {}
    for op in ops:
        for name in op.emitted.origin.nodes or (f"{op.emitted.op}:{op.index}",):
            by_node.setdefault(name, []).append(op)
    lost = {name: d for d in subject.refused for name in d.where.nodes}
    for name, of_node in by_node.items():
        if name not in lost:
            yield _node(name, tuple(of_node))
    for name, diagnostic in lost.items():
        reason = Reason("lowering", Outcome.FAIL, diagnostic.message, diagnostic.code)
        origin = Origin((name,), diagnostic.where.scope, diagnostic.where.file, diagnostic.where.line)
        yield JudgedNode(name, NodeVerdict.UNSUPPORTED, tuple(by_node.get(name, ())), (reason,), origin)
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
    placements = {op.placement for op in ops}
    bad = next((verdict for placement, verdict in _WORST.items() if placement in placements), None)
    verdict = bad or (NodeVerdict.NATIVE if len(ops) == 1 else NodeVerdict.DECOMPOSED)
    reasons = dict.fromkeys(reason for op in ops for reason in op.verdict.reasons)
    return JudgedNode(name, verdict, ops, tuple(reasons), ops[0].emitted.origin)


__all__ = ["OpVerdict", "Subject", "judge", "table_of"]
